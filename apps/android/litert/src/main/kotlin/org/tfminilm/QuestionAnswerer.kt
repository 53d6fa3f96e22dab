package org.tfminilm

import java.nio.FloatBuffer
import java.util.concurrent.CancellationException
import kotlin.math.exp

/** A part of the text: `text.substring(start, end)`. */
class Answer(val start: Int, val end: Int, val score: Float) {
    override fun toString() = "$start to $end, $score"
}

/** What the model found, the best answer first. */
class Answers(
    /** Empty where the text holds none. */
    val answers: List<Answer>,
    /** How much likelier "no answer" is than the best one. */
    val noAnswerScore: Float,
    val windows: Int,
    /** How likely each of them is, among all that was found and, where it may be, none. */
    val probabilities: DoubleArray,
    /** How likely it is that there is none; 0 where every question has an answer. */
    val noAnswerProbability: Double,
) {
    override fun toString() = if (answers.isEmpty()) "no answer" else answers.joinToString("; ")
}

/**
 * Answers questions about a text, in windows that overlap where it is long.
 *
 * The text is tokenised once, as long as only the question changes. Threads wait
 * for each other; what else the engine does can run between two windows.
 */
class QuestionAnswerer @JvmOverloads constructor(
    bundle: ModelBundle,
    private val engine: Engine,
    private val tokenizer: Tokenizer = bundle.tokenizer(),
) {
    private val special = bundle.manifest.tokenizer
    private val settings = requireNotNull(bundle.manifest.questions) { "no bundle for questions" }
    private val question = Tokens()
    private val context = Tokens()
    private var text: String? = null
    private val sequence = TokenSequence(engine.maxLength)

    /**
     * @param isCancelled asked in front of every window.
     * @throws CancellationException it said so.
     * @throws IllegalArgumentException the text is blank.
     */
    @JvmOverloads
    fun answer(
        question: String,
        text: String,
        isCancelled: () -> Boolean = { false },
    ): Answers = synchronized(this) {
        if (this.text != text) {
            this.text = null
            tokenizer.encode(text, context)
            this.text = text
        }
        require(context.size > 0) { "The text is blank: write one in which an answer may be" }
        tokenizer.encode(question, this.question, limit = settings.maxQuestionTokens)
        val best = BestAnswers(settings.maxAnswerTokens)
        val room = engine.maxLength - this.question.size - 2 - special.separators
        check(room > 0) { "The question leaves no room for the text" }
        val stride = minOf(settings.documentStride, room)
        val last = maxOf(0, context.size - room)
        var start = 0
        var windows = 0
        do {
            if (isCancelled()) throw CancellationException("the text has changed")
            run(start, room, best)
            windows++
            start += stride
        } while (start < last + stride)
        best.answers(text, settings.nullThreshold, windows)
    }

    private fun run(start: Int, room: Int, best: BestAnswers) {
        sequence.clear()
        sequence.add(special.cls, 0)
        sequence.add(question, 0, question.size, 0)
        repeat(special.separators) { sequence.add(special.sep, 0) }
        val first = sequence.size
        sequence.add(context, start, room, 1)
        val count = sequence.size - first
        sequence.add(special.sep, 1)
        synchronized(engine) {
            val outputs = engine.run(sequence)
            best.add(
                outputs.getValue("start_logits"),
                outputs.getValue("end_logits"),
                first,
                count,
                context,
                start,
            )
        }
    }
}

/** The best answers over all windows of a text. */
internal class BestAnswers(private val maxTokens: Int) {
    private val scores = HashMap<Long, Float>()
    private var nullScore = Float.POSITIVE_INFINITY

    /**
     * @param first the place of the window's first token of the text; it has
     *     [count] of them, which are `tokens[start, ...)`.
     */
    fun add(
        starts: FloatBuffer,
        ends: FloatBuffer,
        first: Int,
        count: Int,
        tokens: Tokens,
        start: Int,
    ) {
        nullScore = minOf(nullScore, starts.get(0) + ends.get(0))
        val shift = start - first
        val bestEnds = best(ends, first, count)
        for (from in best(starts, first, count)) {
            for (to in bestEnds) {
                if (to < from || to - from >= maxTokens) continue
                val score = starts.get(from) + ends.get(to)
                val place = tokens.starts[from + shift].toLong() shl 32 or
                    tokens.ends[to + shift].toLong()
                val known = scores[place]
                if (known == null || known < score) scores[place] = score
            }
        }
        // A text may have a hundred thousand windows.
        if (scores.size > MAX_KNOWN) scores.keys.retainAll(sorted().map { it.key }.toSet())
    }

    fun answers(text: String, nullThreshold: Float?, windows: Int): Answers {
        val byPlace = LinkedHashMap<Pair<Int, Int>, Answer>()
        for ((place, score) in sorted()) {
            val (start, end) = text.wholeWords((place shr 32).toInt(), place.toInt())
            if (start < end && (start to end) !in byPlace) byPlace[start to end] = Answer(start, end, score)
        }
        val answers = byPlace.values.toList()
        val noAnswer = nullScore - (answers.firstOrNull()?.score ?: nullScore)
        val isNull = nullThreshold != null && noAnswer > nullThreshold
        val mayBeNone = nullThreshold != null || answers.isEmpty()
        val best = answers.firstOrNull()?.score ?: nullScore
        val weights = answers.map { exp((it.score - best).toDouble()) }
        val none = if (mayBeNone) exp(noAnswer.toDouble()) else 0.0
        val all = none + weights.sum()
        return Answers(
            if (isNull) emptyList() else answers,
            noAnswer,
            windows,
            DoubleArray(if (isNull) 0 else answers.size) { weights[it] / all },
            none / all,
        )
    }

    private fun sorted(): List<Map.Entry<Long, Float>> =
        scores.entries.sortedWith(compareBy({ -it.value }, { it.key })).take(MAX_ANSWERS)

    /** The places of the greatest logits, the earlier one first where equal. */
    private fun best(logits: FloatBuffer, first: Int, count: Int): List<Int> =
        (first until first + count).sortedByDescending { logits.get(it) }.take(MAX_ANSWERS)

    private companion object {
        const val MAX_ANSWERS = 20
        const val MAX_KNOWN = 1000
    }
}
