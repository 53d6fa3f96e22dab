package org.tfminilm.demo

import android.view.View
import android.widget.LinearLayout
import org.tfminilm.TaskKind

/** Keeps notes, and sorts them by how near their meaning is to what is searched. */
class NotesPage(activity: MainActivity) : Page(activity, R.id.notes_page) {
    private val model = ModelRow(
        activity,
        find(R.id.notes_model),
        PLACE,
        fits = { it.manifest.task == TaskKind.ENCODER },
        changed = ::soon,
    )
    private val wanted =
        Field("wanted", find(R.id.wanted), find(R.id.wanted_notice), app.drafts, MAX_NOTE, ::soon)
    private val draft =
        Field("new_note", find(R.id.new_note), find(R.id.new_note_notice), app.drafts, MAX_NOTE, ::soon)
    private val rows: LinearLayout = find(R.id.note_rows)
    private val search = NoteSearch()
    private var shown: List<Ranked> = emptyList()

    init {
        activity.fieldActions(root, null, R.id.wanted_clear, wanted)
        activity.fieldActions(root, null, R.id.new_note_clear, draft)
        find<View>(R.id.add_note).setOnClickListener { add(listOf(draft.text)) }
        find<View>(R.id.sample_notes).setOnClickListener {
            add(activity.resources.getStringArray(R.array.note_samples).toList())
            if (wanted.text.isBlank()) wanted.set(activity.getString(R.string.search_example))
        }
        find<View>(R.id.share_notes).setOnClickListener {
            activity.share(shown.joinToString("\n") { it.note })
        }
    }

    override fun restore() {
        wanted.restore("")
        draft.restore("")
    }

    private fun add(notes: List<String>) {
        if (app.notes.add(notes)) draft.set("") else full()
        soon()
    }

    private fun full() {
        text(R.id.notes_status).text = activity.getString(R.string.notes_full, Notes.MAX)
    }

    override fun update() {
        model.refresh()
        val notes = app.notes.items
        val query = wanted.text
        show(R.id.sample_notes, notes.isEmpty())
        show(R.id.share_notes, notes.isNotEmpty())
        find<View>(R.id.add_note).isEnabled = draft.text.isNotBlank()
        val choice = model.choice
        if (choice == null || notes.isEmpty() || query.isBlank()) {
            drop()
            show(notes.map { Ranked(it, null) })
            text(R.id.notes_result).text = when {
                notes.isEmpty() -> activity.getString(R.string.no_notes)
                choice == null -> activity.getString(R.string.no_model)
                else -> ""
            }
            text(R.id.notes_status).text = ""
            return
        }
        request(choice, listOf(query, notes), { model, isStale -> search.rank(model, query, notes, isStale) }) {
            when (it) {
                is Outcome.Failure -> {
                    show(notes.map { note -> Ranked(note, null) })
                    text(R.id.notes_result).text = ""
                    text(R.id.notes_status).text = it.message
                }
                is Outcome.Success -> {
                    show(it.value)
                    text(R.id.notes_result).text = count(it.value.size)
                    text(R.id.notes_status).text =
                        activity.getString(R.string.time, activity.resources.milliseconds(it.milliseconds))
                    model.refresh()
                }
            }
        }
    }

    override fun sayThatItRuns() {
        text(R.id.notes_status).setText(R.string.thinking)
    }

    private fun count(size: Int) = if (size <= SHOWN) {
        activity.getString(R.string.note_count, size)
    } else {
        activity.getString(R.string.note_some, SHOWN, size)
    }

    private fun show(ranked: List<Ranked>) {
        shown = ranked
        val few = ranked.take(SHOWN)
        rows.fillWith(few.size, R.layout.note_row)
        for ((at, each) in few.withIndex()) {
            val row = rows.getChildAt(at)
            row.showBar(bar(each, at == 0))
            val delete: View = row.findViewById(R.id.delete_note)
            delete.contentDescription = activity.getString(R.string.delete_note, clipped(each.note))
            delete.setOnClickListener {
                app.notes.delete(each.note)
                soon()
            }
        }
    }

    private fun bar(ranked: Ranked, isFirst: Boolean): Bar {
        val similarity = ranked.similarity ?: return Bar(clipped(ranked.note), "", Double.NaN)
        val percent = activity.getString(R.string.whole_percent, 100 * similarity.coerceAtLeast(0f))
        return Bar(clipped(ranked.note), percent, similarity.toDouble(), isFirst)
    }

    companion object {
        const val PLACE = "notes"
        private const val SHOWN = 30
        private const val MAX_NOTE = 2000
    }
}
