package org.tfminilm

/**
 * Token ids with the characters that each of them stands for; made to be
 * filled again and again.
 *
 * `text.substring(starts[i], ends[i])` is where token `i` was found, in the
 * text as the user sees it.
 */
class Tokens @JvmOverloads constructor(capacity: Int = 256) {
    /** How many there are; the arrays may be longer. */
    var size = 0
        private set
    var ids = IntArray(capacity)
        private set
    var starts = IntArray(capacity)
        private set
    var ends = IntArray(capacity)
        private set

    fun clear() {
        size = 0
    }

    fun add(id: Int, start: Int, end: Int) {
        if (size == ids.size) {
            val capacity = maxOf(16, size * 2)
            ids = ids.copyOf(capacity)
            starts = starts.copyOf(capacity)
            ends = ends.copyOf(capacity)
        }
        ids[size] = id
        starts[size] = start
        ends[size] = end
        size++
    }

    /** Lets the last one end further behind. */
    fun extend(end: Int) {
        ends[size - 1] = end
    }

    /** Forgets all but the first [count]. */
    fun truncate(count: Int) {
        size = minOf(size, count)
    }

    override fun toString() = "$size tokens: " + ids.take(minOf(size, 8)).joinToString(" ") +
        if (size > 8) " \u2026" else ""
}
