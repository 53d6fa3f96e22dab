package org.tfminilm.demo

import android.app.Activity
import android.content.ClipboardManager
import android.content.ComponentCallbacks2
import android.content.Intent
import android.text.Spanned
import android.text.style.BackgroundColorSpan
import android.view.View
import android.widget.EditText
import android.widget.Spinner
import java.io.File
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf
import org.tensorflow.lite.Interpreter
import org.tfminilm.BundleManifest
import org.tfminilm.Golden

/** What the screens do. */
class MainActivityTest : ActivityTestCase() {
    override fun prepare() = Interpreter.runs.clear()

    @Test
    fun `classifies while a sentence is typed`() {
        val before = text(R.id.sentiment_result)
        val manifest = Golden.bundle("classification").manifest
        val labels = manifest.labels
        val names = manifest.signatures.map { it.name }
        // Once each to be warm, after the answers that are known.
        assertEquals(names, Interpreter.runs.drop(manifest.probe.answers.size).take(3))
        assertEquals(labels.size, before.lines().size)
        assertTrue(before, "%" in before)
        type(R.id.sentence, "Something else entirely, and much worse.")
        assertTrue(text(R.id.sentiment_result) != before)
        assertTrue(text(R.id.sentiment_status), "MB" in text(R.id.sentiment_status))
    }

    @Test
    fun `reads two sentences where the model does`() {
        assertEquals(View.GONE, find<View>(R.id.other).visibility)
        choosePairs()
        assertEquals(View.VISIBLE, find<View>(R.id.other).visibility)
        type(R.id.other_sentence, text(R.id.sentence))
        val before = text(R.id.sentiment_result)
        assertTrue(before, "%" in before)
        type(R.id.other_sentence, "Something else entirely, and much worse.")
        assertTrue(text(R.id.sentiment_result) != before)
    }

    @Test
    fun `shows the last of many changes`() {
        for (size in 1..50) find<EditText>(R.id.sentence).setText("word ".repeat(size))
        settle()
        val fast = text(R.id.sentiment_result)
        type(R.id.sentence, "x")
        type(R.id.sentence, "word ".repeat(50))
        assertEquals(text(R.id.sentiment_result), fast)
    }

    @Test
    fun `marks the answer in the text`() {
        answerEveryQuestion()
        open(R.id.question_tab)
        type(R.id.document, "The answer is \ud83d\ude00 here, somewhere.")
        val shown = find<EditText>(R.id.document).text as Spanned
        val mark = shown.getSpans(0, shown.length, BackgroundColorSpan::class.java).single()
        val marked = shown.substring(shown.getSpanStart(mark), shown.getSpanEnd(mark))
        assertEquals(text(R.id.question_result), marked)
        assertTrue(marked.isNotEmpty())
    }

    @Test
    fun `finds the note that says the same`() {
        open(R.id.notes_tab)
        type(R.id.note_lines, "one thing\nanother thing\nquite different words")
        type(R.id.wanted, "another thing")
        val best = text(R.id.notes_result).lines().first()
        assertEquals("1.00 another thing", best)
    }

    @Test
    fun `makes room when memory runs out, and says so where that is not enough`() {
        val choice = app.models.available().first { it.name == "classification" }
        val tried = ArrayList<OpenModel>()
        var outcome: Outcome<String>? = null
        fun run(failures: Int) {
            tried.clear()
            val work = { model: OpenModel ->
                tried += model
                if (tried.size <= failures) throw OutOfMemoryError()
                "found"
            }
            app.models.run(choice, { false }, work) { outcome = it }
            settle()
        }
        run(failures = 1)
        assertEquals("found", (outcome as Outcome.Success).value)
        assertNotSame(tried[0], tried[1])
        run(failures = 2)
        assertEquals(activity.getString(R.string.out_of_memory), (outcome as Outcome.Failure).message)
        type(R.id.sentence, "And on it goes.")
        assertTrue("%" in text(R.id.sentiment_result))
    }

    @Test
    fun `closes its models when the system asks for memory`() {
        val choice = app.models.available().first()
        val opened = ArrayList<OpenModel>()
        for (level in listOf(0, ComponentCallbacks2.TRIM_MEMORY_BACKGROUND)) {
            app.models.run(choice, { false }, { opened += it }) {}
            app.onTrimMemory(level)
        }
        app.models.run(choice, { false }, { opened += it }) {}
        settle()
        assertSame(opened[0], opened[1])
        assertNotSame(opened[1], opened[2])
    }

    @Test
    fun `opens a bundle, and says what is wrong with a bad one`() {
        open(R.id.bundles_tab)
        pick("good", Golden.file("classification"))
        assertEquals("good", text(R.id.open_result))
        assertEquals(4, find<Spinner>(R.id.first_model).adapter.count)

        val folder = File(app.cacheDir, "bad").also { it.mkdirs() }
        Golden.file("classification").copyRecursively(folder, overwrite = true)
        File(folder, "vocab.txt").appendText("x")
        pick("bad", folder)
        assertTrue(text(R.id.open_result), "vocab.txt" in text(R.id.open_result))

        Golden.file("classification").copyRecursively(folder, overwrite = true)
        val manifest = File(folder, BundleManifest.FILE)
        val name = Golden.bundle("classification").manifest.signatures[0].name
        manifest.writeText(manifest.readText().replace("\"$name\"", "\"another\""))
        pick("bad", folder)
        assertTrue(text(R.id.open_result), "not what its manifest" in text(R.id.open_result))

        val noZip = File(app.cacheDir, "notes.txt").also { it.writeText("milk") }
        pick(noZip)
        assertTrue(text(R.id.open_result), "missing" in text(R.id.open_result))
        pick(File(app.cacheDir, "gone.zip"))
        assertNotEquals(activity.getString(R.string.running), text(R.id.open_result))
        assertEquals(4, find<Spinner>(R.id.first_model).adapter.count)
        open(R.id.sentiment_tab)
        assertEquals(2, find<Spinner>(R.id.sentiment_model).adapter.count)
    }

    @Test
    fun `a model that fails leaves no older result`() {
        assertTrue(text(R.id.sentiment_result).isNotEmpty())
        install("classification", "worse")
        File(app.filesDir, "bundles/worse/vocab.txt").appendText("x")
        open(R.id.question_tab)
        open(R.id.sentiment_tab)
        find<Spinner>(R.id.sentiment_model).setSelection(1)
        settle()
        assertEquals("", text(R.id.sentiment_result))
        assertTrue("vocab.txt" in text(R.id.sentiment_status))
    }

    @Test
    fun `copies a benchmark, also when it is turned`() {
        open(R.id.benchmark_tab)
        assertFalse(find<View>(R.id.copy).isEnabled)
        find<View>(R.id.run_benchmark).performClick()
        settle()
        val shown = text(R.id.benchmark_result)
        turn("+land")
        assertEquals(shown, text(R.id.benchmark_result))
        find<View>(R.id.copy).performClick()
        val clip = app.getSystemService(ClipboardManager::class.java).primaryClip!!.getItemAt(0)
        val rows = JSONObject(clip.text.toString()).getJSONArray("latency_ms")
        assertEquals(shown.lines().size, rows.length())
    }

    @Test
    fun `says where there is no model for a page`() {
        controller.close()
        File(app.filesDir, "bundles").deleteRecursively()
        controller = Robolectric.buildActivity(MainActivity::class.java).setup()
        settle()
        assertEquals(activity.getString(R.string.no_model), text(R.id.sentiment_status))
    }

    @Test
    fun `compares two models`() {
        open(R.id.bundles_tab)
        find<View>(R.id.compare).performClick()
        settle()
        val lines = text(R.id.compare_result).lines()
        assertEquals(2, lines.count { "MB" in it })
    }

    @Test
    fun `survives empty, binary and huge text`() {
        type(R.id.sentence, "")
        type(R.id.sentence, String(CharArray(3000) { (it * 31).toChar() }))
        type(R.id.sentence, "word ".repeat(2_000_000))
        assertTrue(text(R.id.sentiment_result).isNotEmpty())
    }

    private fun pick(name: String, folder: File) = pick(zipped(name, folder))

    private fun zipped(name: String, folder: File): File {
        val zip = File(app.cacheDir, "$name.zip")
        ZipOutputStream(zip.outputStream()).use { output ->
            for (file in folder.listFiles().orEmpty()) {
                output.putNextEntry(ZipEntry("$name/${file.name}"))
                file.inputStream().use { it.copyTo(output) }
            }
        }
        return zip
    }

    private fun pick(zip: File) {
        find<View>(R.id.open_bundle).performClick()
        val asked = shadowOf(activity).nextStartedActivityForResult
        val answer = Intent().setData(android.net.Uri.fromFile(zip))
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, answer)
        settle()
    }
}
