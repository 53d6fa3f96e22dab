package org.tfminilm.demo

import android.view.View
import android.widget.EditText
import android.widget.LinearLayout
import kotlin.math.exp
import org.tfminilm.Answer
import org.tfminilm.Answers
import org.tfminilm.TaskKind

/** Answers a question about a text, and marks the answer in it. */
class AskPage(activity: MainActivity) : Page(activity, R.id.ask_page) {
    private val model = ModelRow(
        activity,
        find(R.id.ask_model),
        PLACE,
        fits = { it.manifest.task == TaskKind.QUESTION_ANSWERING },
        changed = ::soon,
    )
    private val view: EditText = find(R.id.document)
    private val question =
        Field("question", find(R.id.question), find(R.id.question_notice), app.drafts, MAX_QUESTION, ::soon)
    private val document = Field("document", view, find(R.id.document_notice), app.drafts, changed = ::soon)
    private val bars: LinearLayout = find(R.id.ask_bars)
    private val marks = Marks(view)
    private var last: Entry? = null

    init {
        activity.fieldActions(root, null, R.id.question_clear, question, ::keep)
        activity.fieldActions(root, R.id.document_open, R.id.document_clear, document, ::keep)
        showSamples(find(R.id.ask_samples), R.array.question_samples) {
            if (document.text.isBlank()) document.set(activity.getString(R.string.text_example))
            question.set(it)
        }
        find<View>(R.id.ask_tokens).setOnClickListener {
            model.choice?.let { activity.showTokens(it, document) }
        }
        find<View>(R.id.ask_share).setOnClickListener {
            last?.let { activity.share("${it.text}\n${it.result}") }
        }
    }

    override fun restore() {
        question.restore(activity.getString(R.string.question_example))
        document.restore(activity.getString(R.string.text_example))
    }

    override fun close() {
        keep()
        super.close()
    }

    private fun keep() {
        last?.let { app.history.add(it) }
        last = null
    }

    override fun update() {
        model.refresh()
        val choice = model.choice
        val asked = question.text
        val text = document.text
        val isEmpty = asked.isBlank() || text.isBlank()
        show(R.id.ask_samples, isEmpty)
        if (choice == null || isEmpty) {
            drop()
            clear(activity.getString(if (choice == null) R.string.no_model else R.string.ask_something))
            return
        }
        request(choice, listOf(asked, text), { model, isStale -> model.answerer.answer(asked, text, isStale) }) {
            when (it) {
                is Outcome.Failure -> clear(it.message)
                is Outcome.Success -> show(asked, text, it)
            }
        }
    }

    override fun sayThatItRuns() {
        marks.clear()
        text(R.id.ask_status).setText(R.string.thinking)
    }

    private fun clear(word: String) {
        marks.clear()
        last = null
        text(R.id.ask_result).text = ""
        show(R.id.ask_result, false)
        text(R.id.ask_status).text = word
        bars.removeAllViews()
        show(R.id.ask_actions, false)
    }

    private fun show(asked: String, text: String, outcome: Outcome.Success<Answers>) {
        marks.clear()
        val found = outcome.value
        val likely = likely(found)
        val best = found.answers.firstOrNull()
        val result = if (best == null) activity.getString(R.string.no_answer) else shown(text, best)
        show(R.id.ask_result, true)
        text(R.id.ask_result).text = result
        val candidates = found.answers.take(SHOWN)
        bars.showBars(
            candidates.mapIndexed { at, answer ->
                Bar(shown(text, answer), activity.percent(likely[at].toFloat()), likely[at], at == 0)
            },
        ) { mark(candidates[it]) }
        val time = activity.resources.milliseconds(outcome.milliseconds)
        text(R.id.ask_status).text =
            if (found.windows == 1) {
                activity.getString(R.string.time, time)
            } else {
                activity.getString(R.string.time_windows, time, found.windows)
            }
        show(R.id.ask_actions, true)
        last = Entry(PLACE, asked, clipped(text), clipped(result), System.currentTimeMillis())
        best?.let(::mark)
        model.refresh()
    }

    /** How likely each answer is, among those that were found and none at all. */
    private fun likely(found: Answers): List<Double> {
        val best = found.answers.firstOrNull()?.score ?: return emptyList()
        val weights = found.answers.map { exp((it.score - best).toDouble()) }
        val all = weights.sum() + exp(found.noAnswerScore.toDouble())
        return weights.map { it / all }
    }

    private fun shown(text: String, answer: Answer) = clipped(text.substring(answer.start, answer.end), MAX_SHOWN)

    /** The field holds the text of the request: a change makes that stale. */
    private fun mark(answer: Answer) {
        val part = answer.start until answer.end
        marks.show(listOf(part))
        marks.scrollTo(part)
    }

    companion object {
        const val PLACE = "ask"
        private const val SHOWN = 4
        private const val MAX_QUESTION = 1000
        private const val MAX_SHOWN = 300
    }
}
