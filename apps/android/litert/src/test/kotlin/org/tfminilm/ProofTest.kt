package org.tfminilm

import java.io.File
import java.nio.FloatBuffer
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** Keeps what is proven as long as a test. */
class Remembered(private val models: MutableList<String> = ArrayList()) : ProvenModels {
    override fun contains(sha256: String) = sha256 in models

    override fun add(sha256: String) {
        models += sha256
    }
}

/** That a runtime shows by known answers that it is right. */
class ProofTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val models = ArrayList<String>()

    private fun bundle(change: (JSONObject) -> Unit = {}): ModelBundle {
        Golden.file("precisions/pairs-float32").copyRecursively(folder.root, overwrite = true)
        val file = File(folder.root, BundleManifest.FILE)
        val json = JSONObject(file.readText())
        change(json.getJSONObject("probe"))
        file.writeText(json.toString())
        return ModelBundle.open(FolderFiles(folder.root))
    }

    private fun open(bundle: ModelBundle) = LiteRtEngine(bundle, proven = Remembered(models)).close()

    private fun row(probe: JSONObject, at: Int) = probe.getJSONArray("rows").getJSONObject(at)

    private fun logits(probe: JSONObject, at: Int): JSONArray =
        row(probe, at).getJSONObject("outputs").getJSONArray("logits")

    private fun bend(probe: JSONObject, by: Double) {
        val logits = logits(probe, probe.getJSONArray("rows").length() - 1)
        logits.put(1, logits.getDouble(1) + by)
    }

    private fun assertRefused(bundle: ModelBundle, vararg words: String) {
        val error = assertThrows(BundleException::class.java) { open(bundle) }
        for (word in words) assertTrue(error.message, word in error.message)
        assertEquals(emptyList<String>(), models)
    }

    @Test
    fun `the right answers are remembered`() {
        val bundle = bundle()
        open(bundle)
        assertEquals(listOf(bundle.manifest.files.getValue(BundleManifest.MODEL).sha256), models)
        open(bundle)
        assertEquals(1, models.size)
    }

    @Test
    fun `another answer is refused, one within the tolerance is not`() {
        assertRefused(bundle { bend(it, 0.02) }, "computes the model wrongly", "float32", "or newer")
        assertRefused(bundle { bend(it, -0.02) }, "computes the model wrongly")
        open(bundle { bend(it.put("tolerance", 0.03), 0.02) })
    }

    @Test
    fun `what is remembered is not tried again`() {
        val wrong = bundle { bend(it, 1.0) }
        models += wrong.manifest.files.getValue(BundleManifest.MODEL).sha256
        open(wrong)
    }

    @Test
    fun `no number is no right answer`() {
        val bundle = bundle()
        fun engine(value: Float) = object : Engine {
            override val maxLength = 16

            override fun run(sequence: TokenSequence) =
                mapOf("logits" to FloatBuffer.wrap(FloatArray(2) { value }))

            override fun close() = Unit
        }
        for (value in listOf(Float.NaN, Float.POSITIVE_INFINITY)) {
            assertThrows(BundleException::class.java) {
                bundle.manifest.prove(engine(value), Remembered(models))
            }
        }
        assertEquals(emptyList<String>(), models)
    }

    @Test
    fun `a probe of another model`() {
        val ids = JSONArray(List(500) { 5 })
        val changes = mapOf<String, (JSONObject) -> Unit>(
            "logits has 3 numbers, expected 2" to { logits(it, 0).put(0.5) },
            "outputs are not logits" to {
                row(it, 0).getJSONObject("outputs").put("x", JSONArray(listOf(1)))
            },
            "token_ids has 500" to { row(it, 0).put("token_ids", ids).put("segment_ids", ids) },
            "probe.rows has 0" to { it.put("rows", JSONArray()) },
            "segment_ids has another size" to { row(it, 0).put("segment_ids", JSONArray(listOf(0))) },
            "tolerance is missing" to { it.remove("tolerance") },
        )
        for ((words, change) in changes) {
            val error = assertThrows(BundleException::class.java) { bundle(change) }
            assertTrue(error.message, "damaged" in error.message && words in error.message)
        }
    }

    @Test
    fun `segments are told apart`() {
        val bundle = bundle { probe ->
            val segments = row(probe, 0).getJSONArray("segment_ids")
            for (at in 0 until segments.length()) segments.put(at, 1 - segments.getInt(at))
        }
        assertRefused(bundle, "computes the model wrongly")
        assertFalse(bundle.manifest.probe.answers.all { it.segments.all { segment -> segment == 0 } })
    }
}
