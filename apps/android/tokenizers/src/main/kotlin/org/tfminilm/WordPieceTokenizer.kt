package org.tfminilm

import java.text.Normalizer

/**
 * WordPiece as the training's tokenizer runs it.
 *
 * A punctuation mark or a Chinese character is a word of its own, accents go,
 * case is folded, and each word is cut into the longest known pieces from the
 * left; what parts words, and what folding means, is the [rules]'. `[SEP]` in a
 * text is text. Not safe for several threads at once: it works in its own buffers.
 */
class WordPieceTokenizer(
    vocabulary: WordPieceVocabulary,
    private val unknownId: Int,
    private val rules: WordRules,
    lowercase: Boolean,
    stripAccents: Boolean,
) : Tokenizer() {
    /** @param vocabulary the words in the order of their ids. */
    constructor(
        vocabulary: List<String>,
        unknownId: Int,
        rules: WordRules,
        lowercase: Boolean,
        stripAccents: Boolean,
        suffixIndicator: String = "##",
    ) : this(
        WordPieceVocabulary(suffixIndicator, vocabulary.sumOf { it.length }).also { all ->
            vocabulary.forEach { all.add(it) }
        },
        unknownId,
        rules,
        lowercase,
        stripAccents,
    )

    private val pieces = vocabulary.pieces
    private val inside = vocabulary.inside
    private val table = CharacterTable.load(rules, lowercase, stripAccents)
    private val composes = lowercase && rules == WordRules.KERAS_HUB
    private val sorts = stripAccents && rules == WordRules.BERT

    // The word at hand: what it becomes, and where its parts were.
    private var word = IntArray(MAX_CHARACTERS)
    private var wordSize = 0
    private val partStarts = IntArray(MAX_CHARACTERS)
    private val partEnds = IntArray(MAX_CHARACTERS)
    private var partCount = 0
    private var joins = false

    /** What stands in front of it stays there when marks are sorted. */
    private var barrier = 0

    override fun encode(text: String, into: Tokens, start: Int, end: Int, limit: Int) {
        into.clear()
        clearWord()
        var index = start
        while (index < end && into.size < limit) {
            val character = text.characterAt(index, end)
            val next = index + Character.charCount(character)
            val entry = table.entry(character)
            when (entry and CharacterTable.KIND) {
                CharacterTable.WORD -> append(character, entry, index, next)
                CharacterTable.SPACE -> finishWord(into)
                CharacterTable.ALONE -> {
                    finishWord(into)
                    append(character, entry, index, next)
                    finishWord(into)
                }
                // An accent belongs to no token.
                CharacterTable.DROPPED -> if (entry and CharacterTable.JOINS != 0) barrier = wordSize
            }
            index = next
        }
        finishWord(into)
        into.truncate(limit)
    }

    private fun append(character: Int, entry: Int, start: Int, end: Int) {
        joins = joins or (entry and CharacterTable.JOINS != 0)
        if (entry ushr CharacterTable.SHIFT == 0) {
            appendPart(start, end)
            appendCharacter(character)
            if (sorts && entry and CharacterTable.JOINS != 0) sortLast()
            return
        }
        repeat(table.partCount(entry)) { appendPart(start, end) }
        repeat(table.size(entry)) {
            appendCharacter(table.character(entry, it))
            if (sorts && entry and CharacterTable.JOINS != 0) sortLast()
        }
    }

    /** Unicode's canonical order: marks by their classes, behind a letter. */
    private fun sortLast() {
        val last = word[wordSize - 1]
        val own = table.combiningClass(last)
        if (own == 0) return
        var at = wordSize - 1
        while (at > barrier && table.combiningClass(word[at - 1]) > own) {
            word[at] = word[at - 1]
            at--
        }
        word[at] = last
    }

    private fun appendPart(start: Int, end: Int) {
        if (partCount < MAX_CHARACTERS) partStarts[partCount++] = start
        partEnds[partCount - 1] = end
    }

    private fun appendCharacter(character: Int) {
        if (wordSize < MAX_CHARACTERS) word[wordSize++] = character
    }

    private fun finishWord(into: Tokens) {
        if (partCount == 0) return
        if (joins && composes && wordSize > 1) compose()
        if (wordSize > 0) addPieces(into)
        clearWord()
    }

    private fun clearWord() {
        wordSize = 0
        partCount = 0
        joins = false
        barrier = 0
    }

    /** Rare: letters that stand in parts, such as Korean as its strokes. */
    private fun compose() {
        val composed = normalized(String(word, 0, wordSize))
        if (composed.size > word.size) word = IntArray(composed.size)
        composed.copyInto(word)
        wordSize = composed.size
    }

    private fun addPieces(into: Tokens) {
        val before = into.size
        var from = 0
        while (from < wordSize) {
            var node = if (from == 0) PrefixTree.ROOT else inside
            var id = PrefixTree.NONE
            var to = from
            for (at in from until wordSize) {
                node = pieces.next(node, word[at])
                if (node == PrefixTree.NONE) break
                if (pieces.value(node) != PrefixTree.NONE) {
                    id = pieces.value(node)
                    to = at + 1
                }
            }
            if (id == PrefixTree.NONE || from == 0 && isLong()) {
                into.truncate(before)
                into.add(unknownId, partStarts[0], partEnds[partCount - 1])
                return
            }
            addPiece(into, id, from, to)
            from = to
        }
    }

    /** Where folding changed the length, a piece stands for the whole word. */
    private fun addPiece(into: Tokens, id: Int, from: Int, to: Int) {
        if (wordSize == partCount) {
            into.add(id, partStarts[from], partEnds[to - 1])
        } else {
            into.add(id, partStarts[0], partEnds[partCount - 1])
        }
    }

    private fun isLong(): Boolean {
        if (rules == WordRules.BERT) return wordSize > MAX_BERT
        if (wordSize * 4 <= MAX_BYTES) return false
        var bytes = 0
        for (at in 0 until wordSize) {
            bytes += utf8Size(word[at])
            if (bytes > MAX_BYTES) return true
        }
        return false
    }

    private companion object {
        /** Of a word in UTF-8; a longer one is unknown. */
        const val MAX_BYTES = 100

        /** By BERT's rules characters count. */
        const val MAX_BERT = 100

        /**
         * What is kept of a word. Composing makes one character of at most
         * four: of more than this there are more than [MAX_BYTES] in any case.
         */
        const val MAX_CHARACTERS = 4 * MAX_BYTES + 1
    }
}

/** A text in normal form KC, as code points. */
internal fun normalized(text: String): IntArray =
    Normalizer.normalize(text, Normalizer.Form.NFKC).codePoints().toArray()
