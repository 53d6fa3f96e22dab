package org.tfminilm.demo

import android.app.Activity
import android.widget.EditText
import android.widget.Spinner
import android.widget.TextView
import java.util.concurrent.CancellationException
import org.tfminilm.TaskKind
import org.tfminilm.cosine

/** Sorts notes by how near their meaning is to what is searched. */
class NotesScreen(activity: Activity, models: ModelRepository) : Screen(activity, models) {
    private val wanted: EditText = find(R.id.wanted)
    private val lines: EditText = find(R.id.note_lines)
    override val result: TextView = find(R.id.notes_result)
    private val status: TextView = find(R.id.notes_status)
    private val spinner: Spinner = find(R.id.notes_model)

    // Touched by the models' thread alone.
    private var known = HashMap<String, FloatArray>()
    private var knownBy: OpenModel? = null

    init {
        onChange(wanted, lines) { search() }
    }

    override fun refresh() {
        fill(spinner, TaskKind.ENCODER) { search() }
        search()
    }

    private fun search() {
        val choice = chosen(spinner, status) ?: return
        val query = wanted.text.toString()
        val notes = lines.text.lines().filter { it.isNotBlank() }
        request(choice, status, { model, isStale -> rank(model, query, notes, isStale) }) { ranked ->
            result.text = ranked.joinToString("\n") { (note, score) ->
                activity.getString(R.string.note_score, score, note)
            }
        }
    }

    /** Notes that have not changed keep their vectors. */
    private fun rank(
        model: OpenModel,
        query: String,
        notes: List<String>,
        isStale: () -> Boolean,
    ): List<Pair<String, Float>> {
        if (knownBy !== model) known = HashMap()
        knownBy = model
        known.keys.retainAll(notes.toSet())
        for (note in notes) {
            if (isStale()) throw CancellationException()
            known.getOrPut(note) { model.encoder.encode(note) }
        }
        val vector = model.encoder.encode(query)
        return notes.map { it to cosine(vector, known.getValue(it)) }.sortedByDescending { it.second }
    }
}
