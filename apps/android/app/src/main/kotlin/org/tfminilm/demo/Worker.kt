package org.tfminilm.demo

import android.os.Handler
import android.os.Looper
import java.util.concurrent.Executors

/** A thread that does one thing after another. */
class Worker(name: String) {
    private val executor = Executors.newSingleThreadExecutor { work ->
        Thread(work, name).apply { isDaemon = true }
    }

    fun execute(work: () -> Unit) = executor.execute(work)

    /** Waits until all work so far is done. */
    fun await() {
        executor.submit {}.get()
    }
}

private val main = Handler(Looper.getMainLooper())

/** Does something on the main thread, soon. */
fun onMain(work: () -> Unit) {
    main.post(work)
}
