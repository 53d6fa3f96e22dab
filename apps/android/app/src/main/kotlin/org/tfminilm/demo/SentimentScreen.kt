package org.tfminilm.demo

import android.app.Activity
import android.view.View
import android.widget.EditText
import android.widget.Spinner
import android.widget.TextView
import org.tfminilm.Classification
import org.tfminilm.TaskKind

/** Classifies the sentence, or the two of them, while it is typed. */
class SentimentScreen(activity: Activity, models: ModelRepository) : Screen(activity, models) {
    private val sentence: EditText = find(R.id.sentence)
    private val other: EditText = find(R.id.other_sentence)
    override val result: TextView = find(R.id.sentiment_result)
    private val status: TextView = find(R.id.sentiment_status)
    private val spinner: Spinner = find(R.id.sentiment_model)

    init {
        onChange(sentence, other) { classify() }
    }

    override fun refresh() {
        fill(spinner, TaskKind.CLASSIFICATION) { classify() }
        classify()
    }

    private fun classify() {
        val choice = chosen(spinner, status) ?: return
        val isPair = choice.manifest.texts == 2
        find<View>(R.id.other).visibility = if (isPair) View.VISIBLE else View.GONE
        val text = sentence.text.toString()
        val second = if (isPair) other.text.toString() else null
        request(choice, status, { model, _ -> model.classifier.classify(text, second) }) {
            result.text = activity.describe(it)
        }
    }
}

/** A line for each label, the likeliest one first, behind one that says "unsure". */
fun Activity.describe(classification: Classification): String {
    val lines = classification.probabilities.indices
        .sortedByDescending { classification.probabilities[it] }
        .map {
            val percent = 100 * classification.probabilities[it]
            getString(R.string.label_probability, classification.labels[it], percent)
        }
    val doubt = if (classification.isSure) emptyList() else listOf(getString(R.string.unsure))
    return (doubt + lines).joinToString("\n")
}
