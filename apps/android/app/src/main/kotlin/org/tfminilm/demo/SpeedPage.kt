package org.tfminilm.demo

import android.content.ClipData
import android.content.ClipboardManager
import android.view.LayoutInflater
import android.view.View
import android.widget.LinearLayout
import android.widget.ProgressBar
import android.widget.TextView
import android.widget.Toast
import org.tfminilm.Latency

/** A chart of the median and the 95th percentile over lengths and threads. */
class SpeedPage(activity: MainActivity) : Page(activity, R.id.speed_page) {
    private val model =
        ModelRow(activity, find(R.id.speed_model), "speed", fits = { true }, changed = ::soon)
    private val chart: LinearLayout = find(R.id.speed_chart)

    init {
        find<View>(R.id.run_benchmark).setOnClickListener { model.choice?.let(app.benchmarks::start) }
        find<View>(R.id.stop_benchmark).setOnClickListener { app.benchmarks.cancel() }
        find<View>(R.id.copy).setOnClickListener { copy() }
        find<View>(R.id.share_speed).setOnClickListener { activity.share(app.benchmarks.json()) }
    }

    override fun update() {
        model.refresh()
        val found = app.benchmarks
        find<View>(R.id.run_benchmark).isEnabled = model.choice != null && !found.isRunning
        show(R.id.stop_benchmark, found.isRunning)
        show(R.id.speed_progress, found.isRunning)
        val progress: ProgressBar = find(R.id.speed_progress)
        if (found.total > 0) progress.progress = progress.max * found.done / found.total
        show(R.id.speed_actions, found.done > 0 && !found.isRunning)
        text(R.id.speed_status).text = when {
            found.isRunning -> activity.getString(
                R.string.measuring,
                minOf(found.done + 1, found.total),
                found.total,
            )
            found.problem != null -> found.problem
            found.done > 0 -> "${found.model?.title}. ${activity.getString(R.string.speed_legend)}"
            model.choice == null -> activity.getString(R.string.no_model)
            else -> ""
        }
        draw(found.times)
    }

    private fun draw(times: Map<Int, List<Latency>>) {
        chart.removeAllViews()
        val scale = times.values.flatten().maxOfOrNull { it.p95 } ?: return
        val inflater = LayoutInflater.from(activity)
        val lengths = times.values.flatten().map { it.length }.distinct().sorted()
        for (length in lengths) {
            val title = inflater.inflate(R.layout.speed_length, chart, false) as TextView
            title.text = activity.getString(R.string.length, length)
            chart.addView(title)
            for ((threads, latencies) in times) {
                val latency = latencies.find { it.length == length } ?: continue
                val row = inflater.inflate(R.layout.speed_row, chart, false)
                show(row, threads, latency, scale)
                chart.addView(row)
            }
        }
    }

    private fun show(row: View, threads: Int, latency: Latency, scale: Double) {
        row.findViewById<TextView>(R.id.speed_threads).text =
            activity.resources.getQuantityString(R.plurals.threads_used, threads, threads)
        row.findViewById<TextView>(R.id.speed_times).text = with(activity.resources) {
            getString(R.string.latency, milliseconds(latency.median), milliseconds(latency.p95))
        }
        row.findViewById<LatencyBar>(R.id.speed_bar).show(latency.median, latency.p95, scale)
    }

    private fun copy() {
        val clipboard = activity.getSystemService(ClipboardManager::class.java)
        clipboard.setPrimaryClip(ClipData.newPlainText("benchmark", app.benchmarks.json()))
        Toast.makeText(activity, R.string.copied, Toast.LENGTH_SHORT).show()
    }
}
