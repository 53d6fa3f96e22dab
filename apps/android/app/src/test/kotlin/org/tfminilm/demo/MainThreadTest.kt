package org.tfminilm.demo

import android.os.Looper
import android.view.View
import android.widget.EditText
import android.widget.RadioGroup
import java.io.File
import java.lang.management.ManagementFactory
import org.json.JSONObject
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Shadows.shadowOf
import org.tfminilm.BundleManifest
import org.tfminilm.Golden

/** That the main thread is never held up. */
class MainThreadTest : ActivityTestCase() {
    private val threads = ManagementFactory.getThreadMXBean().also { it.isThreadContentionMonitoringEnabled = true }

    /** Milliseconds of the longest task on the main thread until all is done. */
    private fun longest(first: () -> Unit): Double {
        val looper = shadowOf(Looper.getMainLooper())
        var longest = timed(first)
        repeat(4) {
            while (!looper.isIdle) longest = maxOf(longest, timed { looper.runOneTask() })
            app.awaitDisk()
            app.models.await()
        }
        return longest
    }

    /** Milliseconds of computing and of waiting; not those in which the processor did other work. */
    private fun timed(work: () -> Unit): Double {
        val start = spent()
        work()
        return spent() - start
    }

    private fun spent(): Double {
        val info = threads.getThreadInfo(Thread.currentThread().id)
        return threads.currentThreadCpuTime / 1e6 + info.blockedTime + info.waitedTime
    }

    /** The best of some tries: the first ones load classes. */
    private fun assertQuick(what: String, work: (Int) -> Unit) {
        val times = (0 until TRIES).map { longest { work(it) } }
        println("main thread, $what: ${times.map { it.toInt() }} ms")
        assertTrue("$what holds up the main thread: $times ms", times.minOf { it } < LIMIT)
    }

    @Test
    fun `typing, going from place to place, and hostile manifests`() {
        assertQuick("typing") { find<EditText>(R.id.sentence).append(" word$it") }
        for ((name, tab) in TABS) {
            assertQuick(name) {
                find<RadioGroup>(R.id.tabs).check(R.id.classify_tab)
                find<RadioGroup>(R.id.tabs).check(tab)
            }
        }
        find<RadioGroup>(R.id.tabs).check(R.id.classify_tab)
        assertQuick("a text of 40,000 characters") {
            find<EditText>(R.id.sentence).setText("word$it ".repeat(8000).take(40_000))
        }
        val folder = File(app.filesDir, "bundles/hostile").also { it.mkdirs() }
        Golden.file("classification").copyRecursively(folder, overwrite = true)
        val manifest = File(folder, BundleManifest.FILE)
        val json = JSONObject(manifest.readText())
        val texts = listOf("x".repeat(900_000), "[".repeat(100_000), "\u0301".repeat(300_000))
        assertQuick("a description of 900,000 characters") {
            json.put("description", texts[it % texts.size])
            manifest.writeText(if (it == 1) texts[1] else json.toString())
            app.catalog.refresh()
        }
        find<RadioGroup>(R.id.tabs).check(R.id.models_tab)
        assertQuick("its card") { find<View>(R.id.model_cards).requestLayout() }
    }

    private companion object {
        const val TRIES = 4
        const val LIMIT = 100.0
    }
}
