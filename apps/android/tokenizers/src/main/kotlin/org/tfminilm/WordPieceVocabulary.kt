package org.tfminilm

/**
 * The words of a WordPiece model by their ids: read once, then only read, so
 * that all tokenizers of a model share them.
 *
 * @param capacity how many letters there are, at most; more take longer.
 */
class WordPieceVocabulary(suffixIndicator: String, capacity: Int) {
    internal val pieces = PrefixTree(capacity)

    /** Where a piece inside a word starts. */
    internal val inside = pieces.insert(suffixIndicator)
    var size = 0
        private set

    /**
     * Adds the word `text[start, end)`, which has the next id.
     *
     * @throws BundleException it cannot be one, or is there already.
     */
    fun add(text: String, start: Int = 0, end: Int = text.length) {
        val id = size++
        if (!isWord(text, start, end)) {
            val shown = text.substring(start, minOf(end, start + 20))
            throw BundleException("The vocabulary's word $id is \"$shown\": export the model again")
        }
        val node = pieces.insert(text, start, end)
        if (pieces.value(node) != PrefixTree.NONE) {
            throw BundleException(
                "The vocabulary has \"${text.substring(start, end)}\" twice, as " +
                    "${pieces.value(node)} and $id; export the bundle again",
            )
        }
        pieces.set(node, id)
    }

    private fun isWord(text: String, start: Int, end: Int): Boolean {
        if (start == end || end - start > MAX_BYTES) return false
        for (at in start until end) if (text[at] == '\u0000') return false
        return 3 * (end - start) <= MAX_BYTES || text.substring(start, end).toByteArray().size <= MAX_BYTES
    }

    companion object {
        private const val MAX_BYTES = 256

        /** Reads `vocab.txt`, which has a word in each line. */
        fun read(text: String, suffixIndicator: String): WordPieceVocabulary {
            // Words share their beginnings: of BERT's letters a third is left.
            val vocabulary = WordPieceVocabulary(suffixIndicator, text.length / 3)
            val last = if (text.endsWith('\n')) text.length - 1 else text.length
            var start = 0
            while (start <= last) {
                val found = text.indexOf('\n', start)
                val end = if (found < 0) last else minOf(found, last)
                vocabulary.add(text, start, end)
                start = end + 1
            }
            return vocabulary
        }
    }
}
