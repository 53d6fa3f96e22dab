package org.tfminilm

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Test
import org.tensorflow.lite.TensorFlowLite

/**
 * Each precision on the runtime at hand, which is the desktop's LiteRT or the
 * native library in the APK: Python's answers, or a refusal.
 *
 * Which it is to be is what the manifest says of the library named by the
 * property `tfminilm.library`.
 */
class RuntimeTest {
    private val library = System.getProperty("tfminilm.library")
    private val version by lazy { TensorFlowLite.runtimeVersion() }

    private fun isRight(manifest: BundleManifest): Boolean {
        val oldest = manifest.runtimes.getValue(library) ?: return false
        return newest(oldest, version) == version
    }

    private fun newest(one: String, other: String) = listOf(one, other).maxWithOrNull(
        compareBy({ it.split(".")[0].toInt() }, { it.split(".")[1].toInt() }, { it.split(".")[2].toInt() }),
    )

    private fun assertRefused(bundle: ModelBundle) {
        val error = assertThrows(BundleException::class.java) {
            LiteRtEngine(bundle, proven = Remembered()).close()
        }
        for (word in listOf("TensorFlow Lite $version", bundle.manifest.precision, "or newer")) {
            assertTrue(error.message, word in error.message)
        }
    }

    private fun assertRight(bundle: ModelBundle, name: String) {
        LiteRtEngine(bundle, proven = Remembered()).use {
            Comparison(bundle, it).check(Golden.rows("$name.jsonl"))
        }
    }

    @Test
    fun `computes each precision rightly or refuses it`() {
        val folders = Golden.file("precisions").listFiles { it -> it.isDirectory }!!.sorted()
        for (folder in folders) {
            val bundle = Golden.bundle("precisions/${folder.name}")
            val isRight = isRight(bundle.manifest)
            if (isRight) assertRight(bundle, "precisions/${folder.name}") else assertRefused(bundle)
            println("$library $version, ${folder.name}: ${if (isRight) "right" else "refused"}")
        }
        assertEquals(30, folders.size)
    }

    /** A scale for each row of the table: this was written until it was known to be misread. */
    @Test
    fun `refuses a table that it misreads`() {
        val bundle = Golden.bundle("per_row_scales")
        if (isRight(bundle.manifest)) LiteRtEngine(bundle, proven = Remembered()).close() else assertRefused(bundle)
    }

    /** Where it is the APK's. */
    @Test
    fun `runs what the APK packs`() {
        val packed = System.getProperty("tfminilm.packed")
        assumeTrue(packed != null)
        val folders = File(packed).listFiles()!!
        assertTrue(folders.isNotEmpty())
        for (folder in folders) {
            val bundle = ModelBundle.open(FolderFiles(folder))
            LiteRtEngine(bundle, proven = Remembered()).use { it.warmUp() }
        }
    }
}
