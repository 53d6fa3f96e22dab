package org.tfminilm

import java.io.Closeable
import java.nio.FloatBuffer

/** One row for a model: ids and segments of at most [capacity] tokens. */
class TokenSequence(val capacity: Int) {
    val ids = IntArray(capacity)
    val segments = IntArray(capacity)
    var size = 0
        private set

    fun clear() {
        size = 0
    }

    fun add(id: Int, segment: Int) {
        ids[size] = id
        segments[size++] = segment
    }

    /** Adds as many of `tokens[from, from + count)` as there are. */
    fun add(tokens: Tokens, from: Int, count: Int, segment: Int) {
        val to = minOf(from + count, tokens.size)
        for (index in from until to) add(tokens.ids[index], segment)
    }
}

/**
 * Runs a model.
 *
 * Its outputs are overwritten by the next run: who runs it and reads them holds
 * the engine's lock, `synchronized(engine)`, as all tasks do.
 */
interface Engine : Closeable {
    /** Tokens of the longest sequence, the special ones included. */
    val maxLength: Int

    /**
     * Runs a sequence in the shortest signature that it fits, padded.
     *
     * @return the outputs by name; overwritten by the next run. Rows of padding
     *     are there too, and mean nothing.
     */
    fun run(sequence: TokenSequence): Map<String, FloatBuffer>

    /**
     * Runs a sequence, unless another thread stops it.
     *
     * How soon that ends a run is the engine's: here in front of it alone.
     *
     * @throws java.util.concurrent.CancellationException it was stopped; the
     *     next run is as any other.
     */
    fun run(sequence: TokenSequence, cancellation: Cancellation): Map<String, FloatBuffer> {
        cancellation.check()
        return run(sequence)
    }
}
