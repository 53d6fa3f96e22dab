package org.tfminilm.demo

import android.app.Activity
import android.widget.EditText
import android.widget.Spinner
import android.widget.TextView
import org.tfminilm.Classification
import org.tfminilm.Task

/** Classifies the sentence while it is typed. */
class SentimentScreen(activity: Activity, models: Models) : Screen(activity, models) {
    private val sentence: EditText = find(R.id.sentence)
    private val result: TextView = find(R.id.sentiment_result)
    private val status: TextView = find(R.id.sentiment_status)
    private val spinner: Spinner = find(R.id.sentiment_model)

    init {
        onChange(sentence) { classify() }
    }

    override fun refresh() {
        fill(spinner, Task.CLASSIFICATION) { classify() }
        classify()
    }

    private fun classify() {
        val choice = chosen(spinner, status) ?: return
        val text = sentence.text.toString()
        request(choice, status, { model, _ -> model.classifier.classify(text) }) {
            result.text = activity.describe(it)
        }
    }
}

/** A line for each label, the likeliest one first. */
fun Activity.describe(found: Classification): String =
    found.probabilities.indices.sortedByDescending { found.probabilities[it] }
        .joinToString("\n") {
            getString(R.string.label_probability, found.labels[it], 100 * found.probabilities[it])
        }
