package org.tfminilm.demo

import android.os.Handler
import android.os.Looper
import android.view.View
import android.widget.TextView
import java.util.concurrent.atomic.AtomicInteger

/**
 * A page of the activity.
 *
 * Its requests replace each other: the last one counts, and one that was
 * answered is not asked again. A page that is left cancels what is under way.
 */
abstract class Page(protected val activity: MainActivity, root: Int) {
    protected val app = activity.app
    protected val root: View = activity.findViewById(root)
    private val latest = AtomicInteger()
    private val handler = Handler(Looper.getMainLooper())
    private val update = Runnable { if (isOpen && app.isReady) update() }
    private var isOpen = false

    /** What the answer on the screen, or the one under way, belongs to. */
    private var asked: Any? = null
    private var isRunning = false
    private val slow = Runnable { sayThatItRuns() }

    fun open() {
        isOpen = true
        soon()
    }

    open fun close() {
        isOpen = false
        if (isRunning) drop()
    }

    /** Brings the page up to date, once for all that changes now. */
    fun soon() {
        handler.removeCallbacks(update)
        handler.post(update)
    }

    /** Fills the fields with what was typed before. */
    open fun restore() = Unit

    /** Shows what is known, and asks for what is not. */
    protected abstract fun update()

    /** An answer takes longer than one waits for without a word. */
    protected open fun sayThatItRuns() = Unit

    /** @param key what the answer depends on, beside the settings. */
    protected fun <T> request(
        choice: AvailableModel,
        key: List<Any?>,
        work: (OpenModel, () -> Boolean) -> T,
        show: (Outcome<T>) -> Unit,
    ) {
        val whole = key + choice + app.settings.threads
        if (whole == asked) return
        drop()
        asked = whole
        isRunning = true
        val number = latest.get()
        val isStale = { latest.get() != number }
        handler.postDelayed(slow, PATIENCE)
        app.models.run(choice, isStale, { work(it, isStale) }) {
            ended()
            if (it is Outcome.Success) app.settings.addLatency(choice.sha256, it.milliseconds)
            if (it is Outcome.Failure) asked = null // It may go well the next time.
            show(it)
        }
    }

    /** Forgets the answer, and the request that is under way. */
    protected fun drop() {
        latest.incrementAndGet()
        asked = null
        ended()
    }

    private fun ended() {
        isRunning = false
        handler.removeCallbacks(slow)
    }

    protected fun <T : View> find(id: Int): T = root.findViewById(id)

    protected fun text(id: Int): TextView = find(id)

    protected fun show(id: Int, isShown: Boolean) {
        find<View>(id).visibility = if (isShown) View.VISIBLE else View.GONE
    }

    private companion object {
        const val PATIENCE = 300L
    }
}
