package org.tfminilm.demo

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.net.Uri
import android.provider.OpenableColumns
import android.widget.Button
import android.widget.EditText
import android.widget.Spinner
import android.widget.TextView
import java.io.IOException
import java.io.InputStream
import org.tfminilm.TaskKind

/** Says what the models are, compares two of them, and opens others. */
class BundlesScreen(
    activity: Activity,
    models: ModelRepository,
    private val changed: () -> Unit,
) : Screen(activity, models) {
    private val first: Spinner = find(R.id.first_model)
    private val second: Spinner = find(R.id.second_model)
    private val text: EditText = find(R.id.compared)
    override val result: TextView = find(R.id.compare_result)
    private val opened: TextView = find(R.id.open_result)

    init {
        find<Button>(R.id.compare).setOnClickListener { compare() }
        find<Button>(R.id.open_bundle).setOnClickListener { pick() }
    }

    override fun refresh() {
        fill(first, null) { describe(first, find(R.id.first_about)) }
        fill(second, null, default = 1) { describe(second, find(R.id.second_about)) }
    }

    private fun describe(spinner: Spinner, about: TextView) {
        val choice = chosen(spinner, about) ?: return
        about.text = activity.getString(
            R.string.about,
            choice.manifest.description,
            choice.manifest.precision,
            choice.megabytes,
            choice.manifest.parameters / 1e6,
        )
    }

    private fun compare() {
        val choices = listOfNotNull(chosen(first, result), chosen(second, result))
        if (choices.size < 2) return
        val sentence = text.text.toString()
        result.setText(R.string.running)
        val work = { model: OpenModel, isStale: () -> Boolean -> outcome(model, sentence, isStale) }
        request(choices[0], result, work) { one ->
            request(choices[1], result, work) { other ->
                result.text = activity.getString(R.string.pair, one, other)
            }
        }
    }

    /** The median of some runs, and what a classifier says. */
    private fun outcome(model: OpenModel, sentence: String, isStale: () -> Boolean): String {
        val other = if (model.choice.manifest.texts == 2) sentence else null
        val work: () -> String = when (model.choice.manifest.task) {
            TaskKind.CLASSIFICATION -> {
                { activity.describe(model.classifier.classify(sentence, other)) }
            }
            TaskKind.ENCODER -> {
                { model.encoder.encode(sentence).let { "" } }
            }
            TaskKind.QUESTION_ANSWERING -> {
                { model.answerer.answer(sentence, sentence, isStale).let { "" } }
            }
            TaskKind.REGRESSION -> {
                { model.classifier.classify(sentence, other).logits[0].toString() }
            }
        }
        work()
        var said = ""
        val times = DoubleArray(RUNS) {
            val start = System.nanoTime()
            said = work()
            (System.nanoTime() - start) / 1e6
        }
        val choice = model.choice
        val status = activity.getString(
            R.string.status,
            times.sorted()[RUNS / 2],
            choice.megabytes,
            choice.manifest.precision,
        )
        return listOf(choice.name, status, said).filter { it.isNotEmpty() }.joinToString("\n")
    }

    private fun pick() {
        val intent = Intent(Intent.ACTION_OPEN_DOCUMENT)
            .addCategory(Intent.CATEGORY_OPENABLE)
            .setType("*/*")
        try {
            activity.startActivityForResult(intent, PICK)
        } catch (error: ActivityNotFoundException) {
            opened.text = error.message
        }
    }

    /** Takes the file that the user picked. */
    fun open(uri: Uri) {
        opened.setText(R.string.running)
        models.add({ nameOf(uri) }, { stream(uri) }) { outcome ->
            opened.text = when (outcome) {
                is Outcome.Failure -> outcome.message
                is Outcome.Success -> outcome.value.name
            }
            changed()
        }
    }

    private fun stream(uri: Uri): InputStream = activity.contentResolver.openInputStream(uri)
        ?: throw IOException("The file cannot be opened")

    private fun nameOf(uri: Uri): String {
        val columns = arrayOf(OpenableColumns.DISPLAY_NAME)
        val shown = activity.contentResolver.query(uri, columns, null, null, null)?.use {
            if (it.moveToFirst()) it.getString(0) else null
        }
        val name = (shown ?: uri.lastPathSegment ?: "bundle").substringAfterLast('/')
        return name.removeSuffix(".zip").filter { it.isLetterOrDigit() || it in "-_ " }
            .ifBlank { "bundle" }
    }

    companion object {
        const val PICK = 1
        private const val RUNS = 11
    }
}
