package org.tfminilm.demo

import android.content.Context
import android.os.Build
import java.util.concurrent.atomic.AtomicInteger
import org.tfminilm.Latency
import org.tfminilm.measure
import org.tfminilm.toJson

/** Measures models on a thread of its own. It belongs to the app, and outlives an activity. */
class Benchmarks(private val context: Context) : Watched() {
    private val worker = Worker("speed")
    private val latest = AtomicInteger()

    var isRunning = false
        private set

    /** The model that was measured last, and its times so far, by threads. */
    var model: AvailableModel? = null
        private set
    var times: Map<Int, List<Latency>> = emptyMap()
        private set

    /** Why there are no more times; null where all is well. */
    var problem: String? = null
        private set

    val done: Int get() = times.values.sumOf { it.size }

    val total: Int get() = Settings.THREADS.size * (model?.manifest?.signatures?.size ?: 0)

    fun start(choice: AvailableModel) {
        val number = latest.incrementAndGet()
        model = choice
        times = emptyMap()
        problem = null
        isRunning = true
        changed()
        val isStale = { latest.get() != number }
        worker.execute {
            val outcome = context.outcome { measureAll(choice, isStale) }
            onMain { if (!isStale()) end(outcome) }
        }
    }

    fun cancel() {
        latest.incrementAndGet()
        if (!isRunning) return
        isRunning = false
        problem = context.getString(R.string.speed_stopped)
        changed()
    }

    /** What `tfminilm benchmark --output` writes. */
    fun json(): String = toJson(
        model?.name.orEmpty(),
        mapOf("device" to "${Build.MANUFACTURER} ${Build.MODEL}", "android" to Build.VERSION.RELEASE),
        times,
    ).toString(2)

    /** Waits until what was started is over. */
    fun await() = worker.await()

    private fun measureAll(choice: AvailableModel, isStale: () -> Boolean): Outcome<Unit> {
        val bundle = choice.bundle()
        for (threads in Settings.THREADS) {
            measure(bundle, threads, isCancelled = isStale) { latency ->
                onMain { if (!isStale()) add(threads, latency) }
            }
        }
        return Outcome.Success(Unit, 0.0)
    }

    private fun add(threads: Int, latency: Latency) {
        times = times + (threads to times[threads].orEmpty() + latency)
        changed()
    }

    private fun end(outcome: Outcome<Unit>?) {
        isRunning = false
        problem = (outcome as? Outcome.Failure)?.message
        changed()
    }
}
