package org.tfminilm

import java.nio.FloatBuffer
import java.util.concurrent.CancellationException
import kotlin.math.abs
import kotlin.math.exp

/** A part of a text that has a name, such as a person's: `text.substring(start, end)`. */
class Entity(
    val start: Int,
    val end: Int,
    /** Such as PER. */
    val label: String,
    /** The mean probability of its words' tags. */
    val score: Double,
) {
    override fun toString() = "$label at $start to $end"
}

/**
 * Finds entities in texts: each word has a tag, that of its first token.
 *
 * A text that is too long is read in windows, each word in the one where it has
 * the most text on both sides. Threads wait for each other.
 */
class TokenClassifier(bundle: ModelBundle, private val engine: Engine) {
    private val tags = bundle.manifest.labels
    private val special = bundle.manifest.tokenizer
    private val tokenizer = bundle.tokenizer()
    private val tokens = Tokens()
    private val sequence = TokenSequence(engine.maxLength)

    init {
        require(bundle.manifest.task == TaskKind.TOKEN_CLASSIFICATION) { "no bundle of tagged texts" }
    }

    /**
     * The entities of a text, in their order; places are those of its `Char`s,
     * of which a character beyond U+FFFF, as most emoji, has two.
     *
     * @param isCancelled asked in front of every window.
     * @throws CancellationException it said so.
     */
    @JvmOverloads
    fun find(text: String, isCancelled: () -> Boolean = { false }): List<Entity> = synchronized(this) {
        tokenizer.encode(text, tokens)
        val words = text.wordsAndMarks()
        val wordOf = firstPieces(words)
        val tagged = ArrayList<TaggedWord>()
        val room = engine.maxLength - 2
        val starts = windowStarts(tokens.size, room)
        for ((index, start) in starts.withIndex()) {
            if (isCancelled()) throw CancellationException("the text has changed")
            val count = minOf(room, tokens.size - start)
            val own = (start until start + count).filter {
                wordOf[it] >= 0 && isNearest(it, starts, index, count)
            }
            if (own.isNotEmpty()) run(start, count) { logits ->
                for (token in own) tagged += tagged(wordOf[token], logits, 1 + token - start)
            }
        }
        entities(tagged, words)
    }

    private fun run(start: Int, count: Int, read: (FloatBuffer) -> Unit) {
        sequence.clear()
        sequence.add(special.cls, 0)
        sequence.add(tokens, start, count, 0)
        sequence.add(special.sep, 0)
        synchronized(engine) { read(engine.run(sequence).getValue("token_logits")) }
    }

    /** The likeliest tag of a token, the first one where several are, and its probability. */
    private fun tagged(word: Int, logits: FloatBuffer, token: Int): TaggedWord {
        val first = token * tags.size
        val best = tags.indices.maxByOrNull { logits.get(first + it) } ?: 0
        val most = logits.get(first + best).toDouble()
        val sum = tags.indices.sumOf { exp(logits.get(first + it) - most) }
        return TaggedWord(word, tags[best], 1 / sum)
    }

    /** The word that each token is the first piece of, or -1. */
    private fun firstPieces(words: IntArray): IntArray {
        val wordOf = IntArray(tokens.size) { -1 }
        var token = 0
        for (word in 0 until words.size / 2) {
            // The first token that ends behind the word's start.
            while (token < tokens.size && tokens.ends[token] <= words[2 * word]) token++
            if (token == tokens.size) break
            // Of words that share a token, it is the first one's.
            if (tokens.starts[token] < words[2 * word + 1] && wordOf[token] < 0) wordOf[token] = word
        }
        return wordOf
    }
}

internal class TaggedWord(val word: Int, val tag: String, val share: Double)

/** Where windows of [room] tokens begin; each overlaps half of the one before it. */
internal fun windowStarts(size: Int, room: Int): List<Int> {
    val last = maxOf(size - room, 0)
    return (0 until last step maxOf(room / 2, 1)).toList() + last
}

/** Whether no window's middle is nearer to a token, nor as near and before this one's. */
private fun isNearest(token: Int, starts: List<Int>, index: Int, size: Int): Boolean {
    // Twice as far, in whole numbers.
    fun distance(index: Int) = abs(2 * (token - starts[index]) - (size - 1))
    val own = distance(index)
    return (index == 0 || own < distance(index - 1)) &&
        (index == starts.lastIndex || own <= distance(index + 1))
}

/**
 * Makes entities of tags, as conlleval and seqeval do: an entity may start with
 * any tag but O, and goes on with I, L or E of its type behind B or I of it.
 *
 * A word without a tag belongs to the entity before it.
 *
 * @param words as [wordsAndMarks] gives them.
 */
internal fun entities(tagged: List<TaggedWord>, words: IntArray): List<Entity> {
    val entities = ArrayList<Entity>()
    var first = 0
    while (first < tagged.size) {
        val tag = tagged[first].tag
        var last = first
        while (last + 1 < tagged.size && goesOn(tagged[last].tag, tagged[last + 1].tag)) last++
        if (tag != OUTSIDE) {
            val behind = if (last + 1 < tagged.size) tagged[last + 1].word else words.size / 2
            val score = (first..last).sumOf { tagged[it].share } / (last - first + 1)
            entities += Entity(words[2 * tagged[first].word], words[2 * behind - 1], tag.substring(2), score)
        }
        first = last + 1
    }
    return entities
}

private fun goesOn(before: String, tag: String) =
    before != OUTSIDE && tag != OUTSIDE && before[0] in "BI" && tag[0] in "IEL" &&
        before.substring(2) == tag.substring(2)

private const val OUTSIDE = "O"
