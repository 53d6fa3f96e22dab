package org.tfminilm.demo

import android.app.AlertDialog
import android.net.Uri
import android.view.View
import java.io.File
import java.io.InputStream
import java.util.concurrent.CountDownLatch
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Shadows.shadowOf
import org.tfminilm.BundleManifest
import org.tfminilm.Golden

/** How models are added, replaced and deleted. */
class ImportTest : ActivityTestCase() {
    private val bundle get() = Golden.file("classification")
    private val kept get() = File(app.filesDir, "bundles")

    private fun zipped(name: String, files: Map<String, ByteArray>): Uri {
        val zip = File(app.cacheDir, name)
        ZipOutputStream(zip.outputStream()).use { output ->
            for ((path, content) in files) {
                output.putNextEntry(ZipEntry(path))
                output.write(content)
            }
        }
        return Uri.fromFile(zip)
    }

    private fun files(folder: String = "model/"): Map<String, ByteArray> =
        bundle.listFiles()!!.associate { folder + it.name to it.readBytes() }

    private fun add(file: Uri): String {
        open(R.id.models_tab)
        press(R.id.open_bundle)
        answerPicker(file)
        return finished()
    }

    private fun finished(): String {
        app.imports.await()
        settle()
        return text(R.id.import_text)
    }

    private fun names() = app.catalog.models!!.filter { it.isAdded }.map { it.name }

    @Test
    fun `adds a model, which can be used, looked at and deleted`() {
        assertEquals("Good is ready.", add(zipped("good.zip", files())))
        assertTrue("good" in names())
        press(R.id.import_cancel)
        assertEquals(View.GONE, find<View>(R.id.import_card).visibility)
        activity.startActivity(DetailsActivity.intent(activity, app.catalog["good"]!!))
        val details = screen(DetailsActivity::class.java)
        press(R.id.details_delete, details.get())
        answerDialog(AlertDialog.BUTTON_POSITIVE)
        assertTrue("good" !in names())
        assertTrue(details.get().isFinishing)
        details.close()
    }

    @Test
    fun `takes the three named files, whatever else there is`() {
        val others = (1..20_000).associate { "model/other$it" to ByteArray(1) }
        val deeper = mapOf(
            "model/older/manifest.json" to "{}".toByteArray(),
            "__MACOSX/model/._manifest.json" to ByteArray(9),
        )
        assertEquals("Many is ready.", add(zipped("many.zip", others + deeper + files())))
        val wanted = setOf("manifest.json", "model.tflite", "vocab.txt")
        assertEquals(wanted, File(kept, "many").list()!!.toSet())
        assertArrayEquals(File(bundle, "vocab.txt").readBytes(), File(kept, "many/vocab.txt").readBytes())
    }

    @Test
    fun `asks before it replaces a model, and names differ where files do`() {
        add(zipped("my.model.zip", files()))
        add(zipped("mymodel.zip", files()))
        assertTrue(names().containsAll(listOf("my.model", "mymodel")))
        val before = File(kept, "mymodel").lastModified()
        val question = add(zipped("mymodel.zip", files()))
        assertEquals(activity.getString(R.string.import_asks, "Mymodel"), question)
        turn("+land")
        assertEquals(question, text(R.id.import_text))
        press(R.id.import_cancel)
        assertEquals(before, File(kept, "mymodel").lastModified())
        add(zipped("mymodel.zip", files()))
        press(R.id.import_keep)
        finished()
        assertTrue("mymodel 2" in names())
        add(zipped("mymodel.zip", files()))
        press(R.id.import_replace)
        assertEquals("Mymodel is ready.", finished())
        assertEquals(1, names().count { it == "mymodel" })
        assertEquals(0, File(app.filesDir, "bundles.old").list()!!.size)
        assertEquals(0, File(app.filesDir, "bundles.new").list()!!.size)
    }

    @Test
    fun `says in a sentence what is wrong with a file`() {
        val good = files()
        val manifest = JSONObject(String(good.getValue("model/manifest.json")))
        manifest.getJSONObject("files").getJSONObject(BundleManifest.MODEL).put("bytes", 3_000_000_000L)
        val other = good + ("model/vocab.txt" to good.getValue("model/vocab.txt") + 10)
        val cases = mapOf(
            zipped("two.zip", good + files("other/")) to "holds 2 bundles",
            zipped("empty.zip", mapOf("notes.txt" to ByteArray(3))) to "no manifest.json",
            zipped("missing.zip", good - "model/vocab.txt") to "vocab.txt is missing",
            zipped("changed.zip", other) to "vocab.txt",
            zipped("large.zip", good + ("model/manifest.json" to manifest.toString().toByteArray())) to "3000 MB",
            zipped("bomb.zip", good + ("model/manifest.json" to ByteArray(2_000_000))) to "more than",
            Uri.fromFile(File(app.cacheDir, "text.zip").also { it.writeText("milk") }) to "no zip file",
            Uri.fromFile(File(app.cacheDir, "gone.zip")) to "",
        )
        val before = names()
        for ((file, part) in cases) {
            val said = add(file)
            assertTrue("$file: $said", part in said && said.length in 10..500 && said.lines().size == 1)
        }
        assertEquals(before, names())
        assertEquals(0, File(app.filesDir, "bundles.new").list()!!.size)
    }

    @Test
    fun `a file that never comes holds up nothing, and can be given up`() {
        val stuck = Stuck()
        val uri = Uri.parse("content://slow/model.zip")
        shadowOf(app.contentResolver).registerInputStream(uri, stuck)
        open(R.id.models_tab)
        press(R.id.open_bundle)
        answerPicker(uri)
        stuck.asked.await()
        settle()
        assertTrue(app.imports.state is ImportState.Running)
        turn("+land")
        assertEquals(View.VISIBLE, find<View>(R.id.import_card).visibility)
        open(R.id.classify_tab)
        type(R.id.sentence, "It still answers.")
        assertTrue("%" in text(R.id.classify_result))
        open(R.id.models_tab)
        press(R.id.import_cancel)
        assertTrue(app.imports.state is ImportState.Idle)
        assertEquals("Good is ready.", add(zipped("good.zip", files())))
        stuck.end.countDown()
    }

    @Test
    fun `a model that was being added when the screen is turned is there afterwards`() {
        open(R.id.models_tab)
        press(R.id.open_bundle)
        answerPicker(zipped("turned.zip", files()))
        turn("+land")
        assertEquals("Turned is ready.", finished())
    }

    @Test
    fun `what was interrupted leaves the old bundle or the new one`() {
        val store = BundleStore(File(app.cacheDir, "store"))
        fun filled(text: String) = store.stage().also { File(it, "a").writeText(text) }
        fun content() = File(app.cacheDir, "store/bundles/x/a").readText()
        store.install(filled("old"), "x")
        // Between the two steps of a replacement.
        val aside = File(app.cacheDir, "store/bundles.old/x")
        assertTrue(File(app.cacheDir, "store/bundles/x").renameTo(aside))
        filled("new")
        store.recover()
        assertEquals("old", content())
        assertEquals(false, aside.exists())
        // After both of them.
        store.install(filled("new"), "x")
        aside.mkdirs()
        store.recover()
        assertEquals("new", content())
        store.delete("x")
        store.recover()
        assertEquals(false, "x" in store)
    }

    /** A stream that has nothing to give until it is told to end. */
    private class Stuck : InputStream() {
        val asked = CountDownLatch(1)
        val end = CountDownLatch(1)

        override fun read(): Int {
            asked.countDown()
            while (end.count > 0) {
                try {
                    end.await()
                } catch (_: InterruptedException) {
                    continue // As a provider of another process does not care.
                }
            }
            return -1
        }
    }
}
