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
class BenchmarkScreen(activity: Activity, models: ModelRepository) : Screen(activity, models) {
    private val spinner: Spinner = find(R.id.benchmark_model)
    override val result: TextView = find(R.id.benchmark_result)
    private val status: TextView = find(R.id.benchmark_status)
    private val copy: Button = find(R.id.copy)

    init {
        find<Button>(R.id.run_benchmark).setOnClickListener { run() }
        copy.setOnClickListener { copy() }
    }

    override fun refresh() {
        fill(spinner, null) {}
        copy.isEnabled = models.benchmark != null
    }

    private fun run() {
        val choice = chosen(spinner, status) ?: return
        result.text = ""
        status.setText(R.string.running)
        request(choice, status, { model, isStale ->
            THREADS.associateWith { measure(model.bundle, it, isCancelled = isStale) }
        }) { latencies ->
            models.benchmark = toJson(choice.name, MACHINE, latencies).toString(2)
            copy.isEnabled = true
            result.text = latencies.entries.joinToString("\n") { (threads, rows) ->
                rows.joinToString("\n") {
                    activity.getString(R.string.latency, it.length, threads, it.median, it.p95)
                }
            }
        }
    }

    private fun copy() {
        val clipboard = activity.getSystemService(ClipboardManager::class.java)
        clipboard.setPrimaryClip(ClipData.newPlainText("benchmark", models.benchmark))
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
