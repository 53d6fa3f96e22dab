package org.tfminilm

import java.util.concurrent.CancellationException

/** Stops a run from another thread, once and for good: make one for each piece of work. */
class Cancellation {
    private var stop: (() -> Unit)? = null

    @Volatile
    var isCancelled = false
        private set

    /** Ends the run that is in progress, and refuses those that would follow. */
    fun cancel() = synchronized(this) {
        isCancelled = true
        stop?.invoke()
        Unit
    }

    /** @throws CancellationException it was cancelled. */
    @Throws(CancellationException::class)
    fun check() {
        if (isCancelled) throw CancellationException("cancelled")
    }

    /** Does some [work] that [stop] ends from another thread. */
    internal fun <T> during(stop: () -> Unit, work: () -> T): T {
        synchronized(this) {
            check()
            this.stop = stop
        }
        try {
            return work()
        } catch (error: RuntimeException) {
            check() // By one of these LiteRT says that it was stopped.
            throw error
        } finally {
            synchronized(this) { this.stop = null }
        }
    }
}
