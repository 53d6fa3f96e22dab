package org.tfminilm.demo

import android.view.View
import android.widget.LinearLayout

/** Says what a text is, or two of them, while they are typed. */
class ClassifyPage(activity: MainActivity) : Page(activity, R.id.classify_page) {
    private val model = ModelRow(
        activity,
        find(R.id.classify_model),
        PLACE,
        fits = { it.manifest.task in READING_TASKS },
        changed = ::soon,
    )
    private val sentence =
        Field("sentence", find(R.id.sentence), find(R.id.sentence_notice), app.drafts, changed = ::soon)
    private val other =
        Field("other", find(R.id.other_sentence), find(R.id.other_sentence_notice), app.drafts, changed = ::soon)
    private val bars: LinearLayout = find(R.id.classify_bars)
    private val marks = Marks(find(R.id.sentence))
    private var showsAll = false
    private var last: Entry? = null

    init {
        activity.fieldActions(root, R.id.sentence_open, R.id.sentence_clear, sentence, ::keep)
        activity.fieldActions(root, R.id.other_sentence_open, R.id.other_sentence_clear, other, ::keep)
        showSamples(find(R.id.classify_samples), R.array.sentence_samples) { sentence.set(it) }
        find<View>(R.id.classify_tokens).setOnClickListener {
            model.choice?.let { activity.showTokens(it, sentence) }
        }
        find<View>(R.id.classify_share).setOnClickListener {
            last?.let { activity.share("${listOfNotNull(it.text, it.second).joinToString("\n")}\n${it.result}") }
        }
        find<View>(R.id.hint_close).setOnClickListener {
            app.settings.hintIsRead = true
            soon()
        }
    }

    override fun restore() {
        sentence.restore(activity.getString(R.string.sentence_example))
        other.restore(activity.getString(R.string.other_example))
    }

    override fun close() {
        keep()
        super.close()
    }

    /** What is left behind goes into the history. */
    private fun keep() {
        last?.let { app.history.add(it) }
        last = null
    }

    override fun update() {
        model.refresh()
        show(R.id.hint, !app.settings.hintIsRead)
        val choice = model.choice
        val isPair = choice?.manifest?.texts == 2
        show(R.id.other, isPair)
        val text = sentence.text
        val second = if (isPair) other.text else null
        val isEmpty = text.isBlank() || second?.isBlank() == true
        show(R.id.classify_samples, text.isBlank())
        if (choice == null || isEmpty) {
            drop()
            val word = when {
                choice == null -> R.string.no_model
                isPair -> R.string.type_both
                else -> R.string.type_something
            }
            clear(activity.getString(word))
            return
        }
        request(choice, listOf(text, second), { model, isStale -> activity.read(model, text, second, isStale) }) {
            when (it) {
                is Outcome.Failure -> clear(it.message)
                is Outcome.Success -> show(text, second, it)
            }
        }
    }

    override fun sayThatItRuns() {
        text(R.id.classify_status).setText(R.string.thinking)
    }

    /** Nothing of another text, or another model, stays. */
    private fun clear(word: String) {
        last = null
        marks.clear()
        text(R.id.classify_result).text = ""
        show(R.id.classify_result, false)
        text(R.id.classify_status).text = word
        bars.removeAllViews()
        show(R.id.classify_all, false)
        show(R.id.classify_actions, false)
    }

    private fun show(text: String, second: String?, found: Outcome.Success<Reading>) {
        val reading = found.value
        show(R.id.classify_result, true)
        text(R.id.classify_result).text = reading.headline
        val time = activity.resources.milliseconds(found.milliseconds)
        text(R.id.classify_status).text = activity.getString(R.string.time, time)
        marks.show(reading.marks)
        showBars(reading.bars)
        show(R.id.classify_actions, true)
        last = Entry(PLACE, clipped(text), second?.let { clipped(it) }, reading.headline, System.currentTimeMillis())
        model.refresh()
    }

    private fun showBars(all: List<Bar>) {
        bars.showBars(if (showsAll) all.take(MANY) else all.take(FEW))
        val toggle = text(R.id.classify_all)
        show(R.id.classify_all, all.size > FEW)
        val many = minOf(all.size, MANY)
        toggle.text =
            if (showsAll) activity.getString(R.string.show_fewer) else activity.getString(R.string.show_all, many)
        toggle.setOnClickListener {
            showsAll = !showsAll
            showBars(all)
        }
    }

    companion object {
        const val PLACE = "classify"
        private const val FEW = 5
        private const val MANY = 100
    }
}
