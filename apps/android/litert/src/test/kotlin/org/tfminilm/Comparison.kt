package org.tfminilm

import kotlin.math.abs
import kotlin.math.sqrt
import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue

/**
 * What the app makes of texts, against Python's answers with the same bundle.
 *
 * On the runtime that Python has, logits, scores and vectors are Python's. On
 * another, kernels that round their inputs may come to the next whole number:
 * as far as the probe allows, which is a third of what parts two texts at most.
 */
class Comparison(private val bundle: ModelBundle, private val engine: Engine) {
    private val tolerance = when {
        System.getProperty("tfminilm.library") != "tensorflow-lite" -> 1e-4f
        bundle.manifest.precision in ROUNDING -> bundle.manifest.probe.tolerance
        else -> 1e-4f
    }

    fun check(rows: Sequence<JSONObject>) {
        val check: (JSONObject) -> Unit = when (bundle.manifest.task) {
            TaskKind.ENCODER -> encodes(SentenceEncoder(bundle, engine))
            TaskKind.QUESTION_ANSWERING -> answers(QuestionAnswerer(bundle, engine))
            else -> classifies(SequenceClassifier(bundle, engine))
        }
        val count = rows.onEach(check).count()
        assertTrue("no rows", count > 0)
    }

    private fun classifies(classifier: SequenceClassifier) = { row: JSONObject ->
        val other = if (row.has("other")) row.getString("other") else null
        val found = classifier.classify(row.getString("text"), other)
        val values = row.getJSONArray("values").floats()
        assertArrayEquals(row.getString("text"), values, found.logits, tolerance)
        val best = values.maxOrNull()!!
        assertTrue(row.getString("text"), values[found.best] >= best - 2 * tolerance)
        assertEquals(1f, found.probabilities.sum(), 1e-5f)
    }

    private fun encodes(encoder: SentenceEncoder) = { row: JSONObject ->
        val values = row.getJSONArray("values").floats()
        val norm = sqrt(values.map { it * it }.sum())
        val expected = FloatArray(values.size) { values[it] / norm }
        val found = encoder.encode(row.getString("text"))
        assertArrayEquals(row.getString("text"), expected, found, tolerance)
        assertEquals(1f, cosine(found, expected), tolerance)
    }

    private fun answers(answerer: QuestionAnswerer) = { row: JSONObject ->
        val text = row.getString("text")
        val found = answerer.answer(row.getString("question"), text)
        assertEquals(row.getInt("windows"), found.windows)
        assertEquals(row.getDouble("no_answer"), found.noAnswerScore.toDouble(), 2.0 * tolerance)
        val scores = row.getJSONArray("scores").floats()
        // Which of equally good ones is the last one, rounding says.
        for ((score, answer) in scores.asList().zip(found.answers)) {
            assertEquals(score, answer.score, 2 * tolerance)
        }
        val best = found.answers.firstOrNull()?.let { text.substring(it.start, it.end) } ?: ""
        if (best != row.getString("answer")) {
            assertTrue(text, isTie(row, best))
        } else if (tolerance < 1e-3f) {
            val probability = found.probabilities.firstOrNull() ?: found.noAnswerProbability
            assertEquals(text, row.getDouble("probability"), probability, 1e-3)
        }
    }

    /** Whether what the app answered is as good as Python's answer, but for [tolerance]. */
    private fun isTie(row: JSONObject, best: String): Boolean {
        val threshold = bundle.manifest.questions!!.nullThreshold ?: Float.POSITIVE_INFINITY
        if (best == "" || row.getString("answer") == "") {
            return abs(row.getDouble("no_answer") - threshold) <= 2 * tolerance
        }
        val scores = row.getJSONArray("scores").floats()
        val texts = row.getJSONArray("answers")
        return scores.indices.any {
            texts.getString(it) == best && scores[it] >= scores[0] - 4 * tolerance
        }
    }

    private companion object {
        val ROUNDING = setOf("dynamic_wi8_afp32", "static_wi8_ai8")
    }
}
