package org.tfminilm.demo

import android.app.Activity
import android.content.ClipData
import android.content.ClipboardManager
import android.os.Build
import android.widget.Button
import android.widget.Spinner
import android.widget.TextView
import android.widget.Toast
import org.tfminilm.measure
import org.tfminilm.toJson

/** Median and 95th percentile over lengths and threads. */
class BenchmarkScreen(activity: Activity, models: Models) : Screen(activity, models) {
    private val spinner: Spinner = find(R.id.benchmark_model)
    private val result: TextView = find(R.id.benchmark_result)
    private val status: TextView = find(R.id.benchmark_status)
    private var json = ""

    init {
        find<Button>(R.id.run_benchmark).setOnClickListener { run() }
        find<Button>(R.id.copy).setOnClickListener { copy() }
    }

    override fun refresh() = fill(spinner, null) {}

    private fun run() {
        val choice = chosen(spinner, result) ?: return
        result.setText(R.string.running)
        request(choice, status, { model, isStale ->
            THREADS.associateWith { measure(model.bundle, it, isCancelled = isStale) }
        }) { found ->
            json = toJson(choice.name, MACHINE, found).toString(2)
            result.text = found.entries.joinToString("\n") { (threads, latencies) ->
                latencies.joinToString("\n") {
                    activity.getString(R.string.latency, it.length, threads, it.median, it.p95)
                }
            }
        }
    }

    private fun copy() {
        val clipboard = activity.getSystemService(ClipboardManager::class.java)
        clipboard.setPrimaryClip(ClipData.newPlainText("benchmark", json))
        Toast.makeText(activity, R.string.copied, Toast.LENGTH_SHORT).show()
    }

    private companion object {
        val THREADS = listOf(1, 2, 4)
        val MACHINE = mapOf(
            "device" to "${Build.MANUFACTURER} ${Build.MODEL}",
            "android" to Build.VERSION.RELEASE,
        )
    }
}
