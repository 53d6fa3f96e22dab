package org.tfminilm.demo

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/** A text that was classified, or a question that was asked. */
class Entry(val place: String, val text: String, val second: String?, val result: String, val time: Long)

/** What was classified and asked, newest first. The main thread's alone, but for [load]. */
class History internal constructor(
    private val file: TextFile,
    private val disk: Worker,
    private val settings: Settings,
) : Watched() {
    var entries: List<Entry> = emptyList()
        private set

    fun load() {
        entries = try {
            val array = JSONArray(file.read() ?: return)
            List(array.length()) { read(array.getJSONObject(it)) }
        } catch (_: JSONException) {
            return
        }
    }

    fun add(entry: Entry) {
        if (!settings.keepsHistory) return
        val others = entries.filterNot { it.text == entry.text && it.second == entry.second }
        keep((listOf(entry) + others).take(MAX))
    }

    fun clear() = keep(emptyList())

    private fun keep(kept: List<Entry>) {
        entries = kept
        disk.execute { file.write(JSONArray(kept.map(::written)).toString()) }
        changed()
    }

    private fun read(json: JSONObject) = Entry(
        json.getString("place"),
        json.getString("text"),
        if (json.isNull("second")) null else json.getString("second"),
        json.getString("result"),
        json.getLong("time"),
    )

    private fun written(entry: Entry) = JSONObject()
        .put("place", entry.place)
        .put("text", entry.text)
        .put("second", entry.second)
        .put("result", entry.result)
        .put("time", entry.time)

    companion object {
        const val MAX = 100
    }
}
