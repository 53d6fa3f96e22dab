package org.tfminilm.demo

import android.app.Activity
import android.text.Spannable
import android.text.Spanned
import android.text.style.BackgroundColorSpan
import android.widget.EditText
import android.widget.Spinner
import android.widget.TextView
import org.tfminilm.Answers
import org.tfminilm.TaskKind

/** Answers a question about a text, and marks the answer in it. */
class QuestionScreen(activity: Activity, models: ModelRepository) : Screen(activity, models) {
    private val asked: EditText = find(R.id.asked)
    private val document: EditText = find(R.id.document)
    override val result: TextView = find(R.id.question_result)
    private val status: TextView = find(R.id.question_status)
    private val spinner: Spinner = find(R.id.question_model)
    private val mark = BackgroundColorSpan(activity.getColor(R.color.highlight))

    init {
        onChange(asked, document) { answer() }
    }

    override fun refresh() {
        fill(spinner, TaskKind.QUESTION_ANSWERING) { answer() }
        answer()
    }

    private fun answer() {
        unmark()
        val choice = chosen(spinner, status) ?: return
        val question = asked.text.toString()
        val text = document.text.toString()
        request(
            choice,
            status,
            { model, isStale -> model.answerer.answer(question, text, isStale) },
        ) { show(it) }
    }

    /** Also what was marked before a rotation; what a keyboard marks stays. */
    private fun unmark() = with(document.text) {
        getSpans(0, length, BackgroundColorSpan::class.java)
            .filter { getSpanFlags(it) and Spanned.SPAN_COMPOSING == 0 }
            .forEach(::removeSpan)
    }

    private fun show(found: Answers) {
        val best = found.answers.firstOrNull()
        if (best == null) {
            result.setText(R.string.no_answer)
            return
        }
        // The field holds the text of the request: a change makes that stale.
        result.text = document.text.substring(best.start, best.end)
        document.text.setSpan(mark, best.start, best.end, Spannable.SPAN_EXCLUSIVE_EXCLUSIVE)
    }
}
