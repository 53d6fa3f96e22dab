package org.tfminilm

import java.io.File
import java.nio.FloatBuffer
import java.util.concurrent.CancellationException
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** Several labels, tags of words and scores, against `tfminilm.load(bundle).predict`. */
class LabelsTest {
    @get:Rule
    val folder = TemporaryFolder()

    private fun JSONArray.words() = List(length()) { getString(it) }

    private fun <T> opened(name: String, work: (ModelBundle, Engine) -> T): T {
        val bundle = Golden.bundle(name)
        return LiteRtEngine(bundle).use { work(bundle, it) }
    }

    @Test
    fun `gives the labels that Python gives`() = opened("multi_label") { bundle, engine ->
        val classifier = MultiLabelClassifier(bundle, engine)
        val counts = Golden.rows("multi_label.jsonl").map { row ->
            val found = classifier.classify(row.getString("text"))
            val expected = row.getJSONArray("scores").floats()
            assertArrayEquals(row.getString("text"), expected, found.probabilities, 1e-5f)
            assertEquals(row.getJSONArray("labels").words(), found.chosen.map { found.labels[it] })
            found.chosen.size
        }.toSet()
        assertTrue("$counts", counts.size > 2)
    }

    @Test
    fun `a label is given from its own threshold on`() {
        val half = floatArrayOf(0.5f, 0.5f, 0.5f)
        val found = LabelScores(listOf("a", "b", "c"), half, doubleArrayOf(0.5, 0.50001, 0.2))
        assertEquals(listOf(0, 2), found.chosen)
        assertEquals("a 0.5, c 0.5", "$found")
        assertNull(Golden.bundle("classification").manifest.thresholds)
    }

    @Test
    fun `finds the entities that Python finds, at the same places`() = opened("tagged") { bundle, engine ->
        val classifier = TokenClassifier(bundle, engine)
        var count = 0
        var beyond = 0 // Behind a character of two.
        for (row in Golden.rows("tagged.jsonl")) {
            val text = row.getString("text")
            val found = classifier.find(text)
            val expected = row.getJSONArray("entities").let { all -> List(all.length(), all::getJSONArray) }
            assertEquals(
                text,
                expected.map { Triple(it.getInt(0), it.getInt(1), it.getString(2)) },
                found.map { Triple(it.start, it.end, it.label) },
            )
            for ((one, other) in expected.zip(found)) assertEquals(text, one.getDouble(3), other.score, 1e-5)
            count += found.size
            beyond += found.count { text.codePointCount(0, it.start) < it.start }
        }
        assertTrue("$count, $beyond", count > 1000 && beyond > 100)
    }

    @Test
    fun `stops between windows, and finds nothing in a blank text`() = opened("tagged") { bundle, engine ->
        val classifier = TokenClassifier(bundle, engine)
        assertThrows(CancellationException::class.java) { classifier.find("ann") { true } }
        var windows = 0
        classifier.find("ann ".repeat(1000)) { windows++ < 0 }
        assertTrue("$windows", windows > 20)
        for (text in listOf("", " \n", "\u200b")) assertEquals(0, classifier.find(text).size)
    }

    @Test
    fun `tags become entities as in BIO, BILOU and BIOES`() {
        val cases = mapOf(
            "B-A I-A O" to listOf("A 0-3"),
            "I-A I-A" to listOf("A 0-3"),
            "B-A B-A" to listOf("A 0-1", "A 2-3"),
            "B-A I-B" to listOf("A 0-1", "B 2-3"),
            "B-A L-A U-A" to listOf("A 0-3", "A 4-5"),
            "B-A I-A E-A S-B S-B" to listOf("A 0-5", "B 6-7", "B 8-9"),
            "E-A I-A" to listOf("A 0-1", "A 2-3"),
            "O O" to emptyList(),
        )
        for ((tags, expected) in cases) {
            val each = tags.split(" ")
            val words = IntArray(2 * each.size) { it / 2 * 2 + it % 2 }
            val found = entities(each.mapIndexed { at, tag -> TaggedWord(at, tag, 0.5) }, words)
            assertEquals(tags, expected, found.map { "${it.label} ${it.start}-${it.end}" })
        }
        // The third of four words has no token: it belongs to the one before it.
        val tagged = listOf(TaggedWord(0, "O", 1.0), TaggedWord(1, "B-A", 0.5), TaggedWord(3, "O", 1.0))
        assertEquals("[A at 2 to 5]", "${entities(tagged, IntArray(8) { it })}")
    }

    @Test
    fun `windows overlap by half, and the last one ends with the text`() {
        assertEquals(listOf(0), windowStarts(0, 10))
        assertEquals(listOf(0), windowStarts(10, 10))
        assertEquals(listOf(0, 1), windowStarts(11, 10))
        assertEquals(listOf(0, 5, 10, 11), windowStarts(21, 10))
        assertEquals(listOf(0, 1, 2), windowStarts(3, 1))
    }

    @Test
    fun `a score is the number that the model gives`() {
        Golden.file("multi_label").copyRecursively(folder.root, overwrite = true)
        val file = File(folder.root, BundleManifest.FILE)
        val json = JSONObject(file.readText()).put("task", "regression").put("labels", JSONObject.NULL)
        val one = JSONArray(listOf(1, 1))
        for (name in json.getJSONObject("signatures").keys()) {
            json.getJSONObject("signatures").getJSONObject(name)
                .getJSONObject("outputs").getJSONObject("logits").put("shape", one)
        }
        val rows = json.getJSONObject("probe").getJSONArray("rows")
        for (at in 0 until rows.length()) {
            rows.getJSONObject(at).getJSONObject("outputs").put("logits", JSONArray(listOf(1)))
        }
        file.writeText(json.toString())
        val engine = object : Engine {
            override val maxLength = 48

            override fun run(sequence: TokenSequence) =
                mapOf("logits" to FloatBuffer.wrap(floatArrayOf(sequence.size.toFloat())))

            override fun close() = Unit
        }
        val bundle = ModelBundle.open(FolderFiles(folder.root))
        assertEquals(5f, TextScorer(bundle, engine).score("ann is good"), 0f)
        val error = assertThrows(IllegalArgumentException::class.java) {
            TextScorer(Golden.bundle("multi_label"), engine)
        }
        assertEquals("no bundle of regression", error.message)
    }
}
