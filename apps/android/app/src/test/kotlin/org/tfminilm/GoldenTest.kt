package org.tfminilm

import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test

/** Text in, answer out: the app's classes and Python's on the same bundles. */
class GoldenTest {
    private fun <T> withEngine(task: String, use: (Bundle, Engine) -> T): T {
        val bundle = Golden.bundle(task)
        return LiteRtEngine(bundle).use { use(bundle, it) }
    }

    @Test
    fun `classifies as Python does`() = classifies("classification")

    @Test
    fun `classifies pairs as Python does`() = classifies("pairs")

    private fun classifies(name: String) = withEngine(name) { bundle, engine ->
        val classifier = TextClassifier(bundle, engine)
        for (row in Golden.rows("$name.jsonl")) {
            val other = if (row.has("other")) row.getString("other") else null
            val found = classifier.classify(row.getString("text"), other)
            val values = row.getJSONArray("values").floats()
            assertArrayEquals(row.getString("text"), values, found.logits, 1e-4f)
            assertEquals(values.indices.maxByOrNull { values[it] }, found.best)
            assertEquals(1f, found.probabilities.sum(), 1e-5f)
        }
    }

    @Test
    fun `embeds as Python does`() = withEngine("encoder") { bundle, engine ->
        val encoder = SentenceEncoder(bundle, engine)
        for (row in Golden.rows("encoder.jsonl")) {
            val values = row.getJSONArray("values").floats()
            val norm = kotlin.math.sqrt(values.map { it * it }.sum())
            val expected = FloatArray(values.size) { values[it] / norm }
            val found = encoder.encode(row.getString("text"))
            assertArrayEquals(row.getString("text"), expected, found, 1e-4f)
            assertEquals(1f, cosine(found, expected), 1e-4f)
        }
    }

    @Test
    fun `answers as Python does`() = answers("question_answering")

    @Test
    fun `answers with a multilingual model as Python does`() = answers("multilingual")

    private fun answers(name: String) = withEngine(name) { bundle, engine ->
        val answerer = QuestionAnswerer(bundle, engine)
        for (row in Golden.rows("$name.jsonl")) check(answerer, row)
    }

    private fun check(answerer: QuestionAnswerer, row: JSONObject) {
        val text = row.getString("text")
        val found = answerer.answer(row.getString("question"), text)
        assertEquals(row.getInt("windows"), found.windows)
        assertEquals(row.getDouble("no_answer"), found.noAnswerScore.toDouble(), 1e-4)
        val wanted = row.getString("answer")
        val best = found.answers.firstOrNull()?.let { text.substring(it.start, it.end) } ?: ""
        assertEquals(wanted, best)
        val scores = row.getJSONArray("scores").floats()
        for ((index, answer) in found.answers.withIndex()) {
            assertEquals(scores[index], answer.score, 1e-4f)
        }
    }
}
