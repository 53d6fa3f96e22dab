package org.tfminilm.demo

import org.json.JSONArray
import org.json.JSONException

/** The user's notes, newest first. The main thread's alone, but for [load]. */
class Notes internal constructor(private val file: TextFile, private val disk: Worker) : Watched() {
    var items: List<String> = emptyList()
        private set

    fun load() {
        items = try {
            val array = JSONArray(file.read() ?: return)
            List(array.length()) { array.optString(it) }.filter { it.isNotBlank() }.take(MAX)
        } catch (_: JSONException) {
            return
        }
    }

    /** Whether there was room for all; a note that is there already is not doubled. */
    fun add(notes: List<String>): Boolean {
        val wanted = (notes.map { it.trim() }.filter { it.isNotEmpty() } + items).distinct()
        if (wanted.size > MAX) return false
        keep(wanted)
        return true
    }

    fun delete(note: String) = keep(items - note)

    private fun keep(notes: List<String>) {
        items = notes
        disk.execute { file.write(JSONArray(notes).toString()) }
        changed()
    }

    companion object {
        const val MAX = 500
    }
}
