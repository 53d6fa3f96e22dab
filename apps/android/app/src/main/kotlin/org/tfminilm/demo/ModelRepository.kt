package org.tfminilm.demo

import android.content.Context
import java.io.IOException
import java.util.concurrent.CancellationException
import org.tfminilm.BundleException

/**
 * Runs models on a thread of their own, one request after another.
 *
 * Files are added, and speed is measured, on other threads.
 */
class ModelRepository(private val context: Context, private val settings: Settings) {
    private val worker = Worker("models")
    private val open = OpenModels(StoredProofs(context))

    /**
     * Runs [work] with a model off the main thread, and [show] on it.
     *
     * A request that [isStale] is dropped before and after its work.
     */
    fun <T> run(
        choice: AvailableModel,
        isStale: () -> Boolean,
        work: (OpenModel) -> T,
        show: (Outcome<T>) -> Unit,
    ) {
        val threads = settings.threads
        worker.execute {
            if (isStale()) return@execute
            val outcome = context.outcome { sparing { timed(open.get(choice, threads), work) } }
                ?: return@execute
            onMain { if (!isStale()) show(outcome) }
        }
    }

    /** Closes the models: memory is short, and the next request opens its own. */
    fun trim() = worker.execute(open::closeAll)

    /** Waits until all requests so far are done. */
    fun await() = worker.await()

    /** Once more without the other models, where memory runs out. */
    private fun <T> sparing(work: () -> T): T = try {
        work()
    } catch (_: OutOfMemoryError) {
        open.closeAll()
        work()
    }

    /** Opening a model is not counted. */
    private fun <T> timed(model: OpenModel, work: (OpenModel) -> T): Outcome<T> {
        val start = System.nanoTime()
        val value = work(model)
        return Outcome.Success(value, (System.nanoTime() - start) / 1e6)
    }
}

/** What became of a request. */
sealed class Outcome<out T> {
    class Success<T>(val value: T, val milliseconds: Double) : Outcome<T>()

    class Failure(val message: String) : Outcome<Nothing>()
}

/** What came of [work], with a sentence for every way to fail; null where it was cancelled. */
internal fun <T> Context.outcome(work: () -> Outcome<T>): Outcome<T>? = try {
    work()
} catch (_: CancellationException) {
    null
} catch (error: BundleException) {
    Outcome.Failure(clipped(error.message))
} catch (error: IOException) {
    Outcome.Failure(clipped(error.message ?: getString(R.string.cannot_open)))
} catch (error: RuntimeException) {
    Outcome.Failure(getString(R.string.broken, clipped(error.message ?: error.toString())))
} catch (error: StackOverflowError) {
    Outcome.Failure(getString(R.string.broken, error.toString()))
} catch (_: OutOfMemoryError) {
    Outcome.Failure(getString(R.string.out_of_memory))
}
