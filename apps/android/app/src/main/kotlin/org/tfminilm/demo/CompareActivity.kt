package org.tfminilm.demo

import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import android.widget.TextView
import java.util.concurrent.CancellationException
import org.tfminilm.TaskKind

/** Runs two models on one text: what they say, and how long they take. */
class CompareActivity : ScreenActivity(R.string.compare, R.layout.compare) {
    private lateinit var first: ModelRow
    private lateinit var second: ModelRow
    private lateinit var text: Field
    private var number = 0

    override fun onPostCreate(savedInstanceState: Bundle?) {
        first = ModelRow(this, findViewById(R.id.first_model), "first", 0, { true }, ::update)
        second = ModelRow(this, findViewById(R.id.second_model), "second", 1, { true }, ::update)
        text = Field("compared", findViewById(R.id.compared), findViewById(R.id.compared_notice), app.drafts) {}
        text.restore(getString(R.string.sentence_example))
        findViewById<View>(R.id.compared_open).visibility = View.GONE
        findViewById<View>(R.id.compared_clear).setOnClickListener { text.set("") }
        findViewById<View>(R.id.run_compare).setOnClickListener { compare() }
        super.onPostCreate(savedInstanceState)
    }

    override fun onStop() {
        number++
        super.onStop()
    }

    override fun update() {
        first.refresh()
        second.refresh()
    }

    private fun compare() {
        val models = listOfNotNull(first.choice, second.choice)
        val sentence = text.text
        val mine = ++number
        val results: LinearLayout = findViewById(R.id.compare_results)
        results.removeAllViews()
        val status: TextView = findViewById(R.id.compare_status)
        if (sentence.isBlank()) {
            status.setText(R.string.type_something)
            return
        }
        status.setText(R.string.thinking)
        for (model in models) {
            app.models.run(model, { mine != number }, { measured(it, sentence) { mine != number } }) {
                status.text = ""
                when (it) {
                    is Outcome.Failure -> status.text = it.message
                    is Outcome.Success -> show(results, model, it.value)
                }
            }
        }
    }

    private class Measured(val milliseconds: Double, val bars: List<Bar>)

    private fun measured(model: OpenModel, sentence: String, isStale: () -> Boolean): Measured {
        var bars = run(model, sentence, isStale)
        val times = DoubleArray(RUNS) {
            if (isStale()) throw CancellationException()
            val start = System.nanoTime()
            bars = run(model, sentence, isStale)
            (System.nanoTime() - start) / 1e6
        }
        return Measured(times.sorted()[RUNS / 2], bars)
    }

    /** Bars of a model that has labels; none of others. */
    private fun run(model: OpenModel, sentence: String, isStale: () -> Boolean): List<Bar> {
        val second = if (model.choice.manifest.texts == 2) sentence else null
        return when (model.choice.manifest.task) {
            TaskKind.ENCODER -> emptyList<Bar>().also { model.encoder.encode(sentence) }
            TaskKind.QUESTION_ANSWERING ->
                emptyList<Bar>().also { model.answerer.answer(sentence, sentence, isStale) }
            else -> read(model, sentence, second, isStale).bars
        }
    }

    private fun show(results: ViewGroup, model: AvailableModel, found: Measured) {
        val card = layoutInflater.inflate(R.layout.compare_card, results, false)
        card.findViewById<TextView>(R.id.compare_title).text = model.title
        card.findViewById<TextView>(R.id.compare_about).text = getString(
            R.string.compared_time,
            resources.milliseconds(found.milliseconds),
            RUNS,
            resources.sizeOf(model, null),
        )
        card.findViewById<LinearLayout>(R.id.compare_bars).showBars(found.bars.take(MAX_BARS))
        results.addView(card)
    }

    private companion object {
        const val RUNS = 11
        const val MAX_BARS = 5
    }
}
