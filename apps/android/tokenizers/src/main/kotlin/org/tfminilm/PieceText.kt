package org.tfminilm

/**
 * A text as a SentencePiece model sees it, normalised as far as it is read.
 *
 * It keeps a window of the text: [fill] reads on, [drop] forgets the start.
 */
internal class PieceText(private val model: PieceModel) {
    /** What can be read so far, code points. */
    var characters = IntArray(256)
        private set

    /**
     * Where each of [characters] was, in the text as it is; for the last one
     * its end is known, at [size], once [fill] has read on or said no.
     */
    var places = IntArray(256)
        private set
    var size = 0
        private set

    private val space = if (model.escapesSpaces) VISIBLE_SPACE else BLANK
    private var text = ""
    private var at = 0
    private var end = 0
    private var isDone = true
    private var isBehindSpace = false

    // Behind `size`: spaces that count only if something follows.
    private var filled = 0

    // The part of the text at hand, and what replaces it.
    private var chunkEnd = 0
    private var replacement = -1
    private var skips = false

    fun start(text: String, start: Int, end: Int) {
        this.text = text
        this.at = start
        this.end = end
        size = 0
        filled = 0
        isBehindSpace = model.joinsSpaces
        if (model.joinsSpaces) skipSpaces()
        isDone = at >= end
        if (!isDone && model.addsSpace && !model.spaceIsLast) append(space, at)
    }

    /** Lets [size] grow; false at the end of the text. */
    fun fill(): Boolean {
        if (isDone) return false
        do {
            if (at >= end) {
                finish()
                break
            }
            readChunk()
            appendChunk()
            at = chunkEnd
        } while (filled == size || model.joinsSpaces && characters[filled - 1] == space)
        val hasMore = filled > size
        size = filled
        return hasMore
    }

    /** Forgets the first [count] characters. */
    fun drop(count: Int) {
        characters.copyInto(characters, 0, count, filled)
        // At the end of the text one more is known.
        places.copyInto(places, 0, count, minOf(filled + 1, places.size))
        filled -= count
        size -= count
    }

    /** Lets the text go. */
    fun clear() {
        text = ""
        isDone = true
    }

    private fun finish() {
        isDone = true
        var last = end
        while (model.joinsSpaces && filled > size && characters[filled - 1] == space) {
            last = places[--filled]
        }
        if (model.addsSpace && model.spaceIsLast) append(space, last)
        append(BLANK, last) // For its place.
        filled--
    }

    private fun skipSpaces() {
        while (at < end) {
            readChunk()
            val isSpace = if (replacement < 0) {
                chunkEnd == at + 1 && text[at].code == BLANK
            } else {
                replaced(replacement) == BLANK && replaced(replacement + 1) == 0
            }
            if (!isSpace) return
            at = chunkEnd
        }
    }

    /** A symbol, else the longest text with a rule, else a character. */
    private fun readChunk() {
        replacement = -1
        chunkEnd = endOfSymbol()
        if (chunkEnd > at) return
        val found = model.rules?.longest(text, at, end) ?: -1
        if (found >= 0) {
            chunkEnd = (found ushr 32).toInt()
            replacement = found.toInt()
        } else {
            chunkEnd = at + Character.charCount(text.characterAt(at, end))
        }
    }

    private fun endOfSymbol(): Int {
        var found = at
        var node = PrefixTree.ROOT
        var to = at
        while (to < end) {
            val character = text.characterAt(to, end)
            node = model.symbols.next(node, character)
            if (node == PrefixTree.NONE) break
            to += Character.charCount(character)
            if (model.symbols.value(node) != PrefixTree.NONE) found = to
        }
        return found
    }

    private fun appendChunk() {
        skips = isBehindSpace
        if (replacement < 0) {
            var index = at
            while (index < chunkEnd) {
                val character = text.characterAt(index, end)
                index += Character.charCount(character)
                appendSpaced(character)
            }
        } else {
            var place = replacement
            while (replaced(place) != 0) {
                val character = replaced(place)
                place += utf8Size(character)
                appendSpaced(character)
            }
        }
    }

    private fun replaced(place: Int): Int = model.rules!!.character(place)

    private fun appendSpaced(character: Int) {
        if (skips && character == BLANK) return
        skips = false
        append(if (character == BLANK) space else character, at)
        isBehindSpace = model.joinsSpaces && character == BLANK
    }

    private fun append(character: Int, place: Int) {
        if (filled == characters.size) {
            characters = characters.copyOf(filled * 2)
            places = places.copyOf(filled * 2)
        }
        characters[filled] = character
        places[filled++] = place
    }

    private companion object {
        const val BLANK = 0x20

        /** What a space becomes, so that pieces can have it. */
        const val VISIBLE_SPACE = 0x2581
    }
}
