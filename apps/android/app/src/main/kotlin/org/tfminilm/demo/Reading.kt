package org.tfminilm.demo

import android.content.Context
import org.tfminilm.Classification
import org.tfminilm.Entity
import org.tfminilm.LabelScores
import org.tfminilm.TaskKind

/** What a model says of a text, or of two, as it is shown. */
class Reading(
    val headline: String,
    val bars: List<Bar>,
    /** Parts of the text that have a name. */
    val marks: List<IntRange> = emptyList(),
)

/** The tasks of one text, or of two, that have something to say of them. */
val READING_TASKS = setOf(
    TaskKind.CLASSIFICATION,
    TaskKind.MULTI_LABEL_CLASSIFICATION,
    TaskKind.TOKEN_CLASSIFICATION,
    TaskKind.REGRESSION,
)

/** Runs a model of one of the [READING_TASKS]. */
fun Context.read(model: OpenModel, text: String, second: String?, isStale: () -> Boolean): Reading =
    when (model.choice.manifest.task) {
        TaskKind.REGRESSION -> Reading(getString(R.string.score, model.scorer.score(text, second)), emptyList())
        TaskKind.MULTI_LABEL_CLASSIFICATION -> reading(model.labels.classify(text, second))
        TaskKind.TOKEN_CLASSIFICATION -> reading(text, model.tagger.find(text, isStale))
        else -> reading(model.classifier.classify(text, second))
    }

/** "Good · 99.8 %", or "Unsure"; a bar for each label, the likeliest one first. */
private fun Context.reading(answer: Classification): Reading {
    val best = answer.best
    val headline = if (answer.isSure) {
        getString(R.string.result, inWords(answer.labels[best]), percent(answer.probabilities[best]))
    } else {
        getString(R.string.unsure)
    }
    return Reading(headline, bars(answer.labels, answer.probabilities, listOf(best)))
}

/** The labels that the text has; a bar for each label. */
private fun Context.reading(answer: LabelScores): Reading {
    val names = answer.chosen.joinToString(", ") { inWords(answer.labels[it]) }
    val headline = names.ifEmpty { getString(R.string.no_label) }
    return Reading(clipped(headline), bars(answer.labels, answer.probabilities, answer.chosen))
}

/** How many names there are; a bar for each, in the text's order. */
private fun Context.reading(text: String, found: List<Entity>): Reading {
    val headline = if (found.isEmpty()) {
        getString(R.string.no_names)
    } else {
        resources.getQuantityString(R.plurals.names, found.size, found.size)
    }
    val bars = found.map {
        val name = clipped(text.substring(it.start, it.end))
        Bar(getString(R.string.named, name, inWords(it.label)), percent(it.score.toFloat()), it.score)
    }
    return Reading(headline, bars, found.map { it.start until it.end })
}

private fun Context.bars(labels: List<String>, probabilities: FloatArray, strong: List<Int>): List<Bar> =
    probabilities.indices.sortedByDescending { probabilities[it] }.map {
        Bar(inWords(labels[it]), percent(probabilities[it]), probabilities[it].toDouble(), it in strong)
    }

fun Context.percent(share: Float): String = getString(R.string.percent, 100 * share)
