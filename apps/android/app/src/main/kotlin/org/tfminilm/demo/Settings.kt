package org.tfminilm.demo

import android.content.Context

/** What the user chose, and what was measured; it outlives the process. */
class Settings(context: Context) {
    private val stored = context.getSharedPreferences("settings", Context.MODE_PRIVATE)

    var threads: Int
        get() = stored.getInt("threads", DEFAULT_THREADS)
        set(value) = stored.edit().putInt("threads", value).apply()

    var keepsHistory: Boolean
        get() = stored.getBoolean("history", true)
        set(value) = stored.edit().putBoolean("history", value).apply()

    var hintIsRead: Boolean
        get() = stored.getBoolean("hint", false)
        set(value) = stored.edit().putBoolean("hint", value).apply()

    /** The name of the model that was chosen for a place, such as "ask". */
    fun chosen(place: String): String? = stored.getString("model $place", null)

    fun choose(place: String, model: String) =
        stored.edit().putString("model $place", model).apply()

    private val times = HashMap<String, List<Double>>()

    /** Median milliseconds of a model's last texts, by the SHA-256 of its file; null without any. */
    fun latency(sha256: String): Double? = with(timesOf(sha256)) { sorted().getOrNull(size / 2) }

    fun addLatency(sha256: String, milliseconds: Double) {
        times[sha256] = (timesOf(sha256) + milliseconds).takeLast(MAX_TIMES)
    }

    /** Keeps the latencies, which change at every letter that is typed. */
    fun save() = with(stored.edit()) {
        for ((sha256, values) in times) putString("latency $sha256", values.joinToString(" "))
        apply()
    }

    private fun timesOf(sha256: String): List<Double> = times.getOrPut(sha256) {
        stored.getString("latency $sha256", "").orEmpty().split(' ').mapNotNull { it.toDoubleOrNull() }
    }

    companion object {
        val THREADS = listOf(1, 2, 4)
        private const val DEFAULT_THREADS = 2
        private const val MAX_TIMES = 11
    }
}
