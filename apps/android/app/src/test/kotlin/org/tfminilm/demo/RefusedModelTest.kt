package org.tfminilm.demo

import java.io.File
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.tfminilm.BundleException
import org.tfminilm.BundleManifest
import org.tfminilm.Golden
import org.tfminilm.LiteRtEngine

/** What the app says of a model that its runtime computes wrongly. */
class RefusedModelTest : ActivityTestCase() {
    private fun show(model: String) {
        app.catalog.refresh()
        app.settings.choose("classify", model)
        settle()
    }

    private fun bend(model: String, by: Double) {
        val file = File(app.filesDir, "bundles/$model/${BundleManifest.FILE}")
        val json = JSONObject(file.readText())
        val row = json.getJSONObject("probe").getJSONArray("rows").getJSONObject(0)
        val logits = row.getJSONObject("outputs").getJSONArray("logits")
        logits.put(0, logits.getDouble(0) + by)
        file.writeText(json.toString())
    }

    private fun assertShown(problem: String?) {
        val isShown = "%" in text(R.id.classify_result)
        val status = text(R.id.classify_status)
        assertEquals(status, problem == null, isShown)
        assertTrue(status, (problem ?: "ms") in status)
    }

    /** Every runtime must be right about float32. */
    @Test
    fun `tries a model once in each version of the app`() {
        install("precisions/classification-float32", "exact")
        bend("exact", 1.0)
        show("exact")
        assertShown("computes the model wrongly: its precision, float32, needs")
        bend("exact", -1.0)
        show("exact")
        assertShown(null)
        bend("exact", 1.0) // Not looked at any more.
        app.onTrimMemory(android.content.ComponentCallbacks2.TRIM_MEMORY_BACKGROUND)
        show("exact")
        assertShown(null)
        val sha256 = Golden.bundle("precisions/classification-float32")
            .manifest.files.getValue(BundleManifest.MODEL).sha256
        assertTrue(sha256 in StoredProofs(app))
        assertFalse(sha256 in StoredProofs(app, version = 1234))
        assertFalse("another" in StoredProofs(app))
    }

    /** On the native library in the APK this shows the refusal; on the desktop's, a result. */
    @Test
    fun `shows why a model is refused`() {
        install("per_row_scales", "older")
        show("older")
        assertShown(
            try {
                LiteRtEngine(Golden.bundle("per_row_scales")).close()
                null
            } catch (error: BundleException) {
                error.message
            },
        )
    }
}
