package org.tfminilm

/**
 * SentencePiece's unigram model as the training's tokenizer runs it.
 *
 * A text is normalised, its spaces become letters, and of all ways to cut it
 * into pieces the likeliest is taken. Not safe for several threads at once: it
 * works in its own buffers, which hold the part of the text that is not decided
 * yet, a few words as a rule. Pieces that overlap, as of dashes, can leave a run
 * undecided to its end: it is cut after 16,384 characters, where training's
 * tokenizer would read on.
 *
 * @param unknownId of what has no piece, and of the model's first piece.
 * @param idOffset a piece's id is its number in the model and this.
 */
class SentencePieceTokenizer(
    private val model: PieceModel,
    private val unknownId: Int,
    private val idOffset: Int,
) : Tokenizer() {
    private val text = PieceText(model)

    // The best way to each place: its score, its last piece, where that starts.
    private var bests = FloatArray(256)
    private var pieces = IntArray(256)
    private var starts = IntArray(256)
    private var ends = IntArray(256) // Filled from `starts` on the way back.

    /** What was cut last is behind, what a piece reached is before it. */
    private var from = 0
    private var reached = 0
    private var isBehindUnknown = false

    override fun encode(text: String, into: Tokens, start: Int, end: Int, limit: Int) {
        into.clear()
        this.text.start(text, start, end)
        from = 0
        reached = 0
        bests[0] = 0f
        isBehindUnknown = false
        var at = 0
        while (at < this.text.size || this.text.fill()) {
            // No piece goes over this place: nothing behind it changes the cut.
            if (at == reached || at - from == MOST_UNDECIDED) {
                addPieces(into, at)
                at = from
                if (into.size >= limit) break
            }
            extend(at++)
        }
        addPieces(into, at)
        into.truncate(limit)
        this.text.clear()
    }

    /** Tries all pieces that start at a place. */
    private fun extend(at: Int) {
        val before = bests[at]
        var isKnown = false
        var node = PrefixTree.ROOT
        var to = at
        while (to < text.size || text.fill()) {
            node = model.tree.next(node, text.characters[to])
            if (node == PrefixTree.NONE) break
            to++
            val piece = model.tree.value(node)
            if (piece == PrefixTree.NONE) continue
            offer(to, model.scores[piece] + before, piece, at)
            if (to == at + 1) isKnown = true
        }
        if (!isKnown) offer(at + 1, (model.unknownScore + before).toDouble(), model.unknown, at)
    }

    /** Compared in double and kept in single precision, as SentencePiece does. */
    private fun offer(to: Int, score: Double, piece: Int, start: Int) {
        if (to > reached) {
            if (to >= bests.size) grow(to)
            while (reached < to) starts[++reached] = PrefixTree.NONE
        }
        if (starts[to] == PrefixTree.NONE || score > bests[to]) {
            bests[to] = score.toFloat()
            pieces[to] = piece
            starts[to] = start
        }
    }

    private fun grow(to: Int) {
        val capacity = maxOf(to + 1, bests.size * 2)
        bests = bests.copyOf(capacity)
        pieces = pieces.copyOf(capacity)
        starts = starts.copyOf(capacity)
        ends = ends.copyOf(capacity)
    }

    /** Adds the best way to a place, and goes on from there. */
    private fun addPieces(into: Tokens, to: Int) {
        var at = to
        while (at > from) {
            ends[starts[at]] = at
            at = starts[at]
        }
        while (at < to) {
            add(into, pieces[ends[at]], at, ends[at])
            at = ends[at]
        }
        from = to
        reached = to
        if (from > text.characters.size / 2) dropRead()
    }

    private fun dropRead() {
        text.drop(from)
        bests[0] = bests[from]
        from = 0
        reached = 0
    }

    private fun add(into: Tokens, piece: Int, first: Int, end: Int) {
        val start = text.places[first]
        val last = text.places[end]
        val isUnknown = piece == model.unknown
        if (isUnknown && model.bytes.isNotEmpty()) {
            addBytes(into, text.characters[first], start, last)
        } else if (isUnknown && isBehindUnknown) {
            into.extend(last)
        } else {
            into.add(idOf(piece), start, last)
        }
        isBehindUnknown = isUnknown
    }

    /** A character's bytes in UTF-8; the last one stands for all of it. */
    private fun addBytes(into: Tokens, character: Int, start: Int, end: Int) {
        val size = utf8Size(character)
        for (index in 0 until size) {
            val piece = model.bytes[utf8Byte(character, index, size)]
            into.add(idOf(piece), start, if (index == size - 1) end else start)
        }
    }

    private fun idOf(piece: Int): Int = if (piece == 0) unknownId else piece + idOffset

    private companion object {
        const val MOST_UNDECIDED = 1 shl 14
    }
}
