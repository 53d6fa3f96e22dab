package org.tfminilm.demo

import org.json.JSONException
import org.json.JSONObject

/**
 * What is typed into the fields, by their names.
 *
 * The texts lie in memory and in a file: the system, which saves the state of
 * views, has less than 1 MB for all of it. The main thread's alone.
 */
class Drafts internal constructor(private val file: TextFile, private val disk: Worker) {
    private val texts = HashMap<String, String>()
    private var isSaved = true

    /** Not for the main thread, and before any other call. */
    fun load() {
        val json = try {
            JSONObject(file.read() ?: return)
        } catch (_: JSONException) {
            return
        }
        for (name in json.keys()) texts[name] = json.optString(name)
    }

    operator fun get(name: String): String? = texts[name]

    operator fun set(name: String, text: String) {
        if (texts.put(name, text) != text) isSaved = false
    }

    fun save() {
        if (isSaved) return
        isSaved = true
        val copy: Map<String, String> = HashMap(texts)
        disk.execute { file.write(JSONObject(copy).toString()) }
    }
}
