package org.tfminilm.demo

import android.content.ClipboardManager
import android.content.ComponentCallbacks2
import android.os.Looper
import android.text.Spanned
import android.text.style.BackgroundColorSpan
import android.view.View
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.RadioGroup
import java.io.File
import java.util.concurrent.CountDownLatch
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Shadows.shadowOf
import org.tensorflow.lite.Interpreter
import org.tfminilm.Golden

/** What the pages do. */
class MainActivityTest : ActivityTestCase() {
    override fun prepare() {
        super.prepare()
        app.settings.choose("speed", "classification")
        Interpreter.runs.clear()
    }

    @Test
    fun `runs a model once when a page is opened, and not again when it is seen again`() {
        val manifest = Golden.bundle("classification").manifest
        // The answers that are known, each signature to be warm, and the text.
        val runs = manifest.probe.answers.size + manifest.signatures.size + 1
        assertEquals(runs, Interpreter.runs.size)
        open(R.id.models_tab)
        open(R.id.classify_tab)
        assertEquals(runs, Interpreter.runs.size)
    }

    @Test
    fun `classifies while a sentence is typed`() {
        val before = bars(R.id.classify_bars)
        assertEquals(3, before.size)
        assertTrue(before.toString(), before.all { "%" in it })
        assertTrue(before[0], before[0].startsWith(text(R.id.classify_result).substringBefore(" ·")))
        type(R.id.sentence, "Something else entirely, and much worse.")
        assertTrue(bars(R.id.classify_bars) != before)
        assertTrue(text(R.id.classify_status), "ms" in text(R.id.classify_status))
    }

    @Test
    fun `an empty field shows samples, and a sample is classified`() {
        press(R.id.sentence_clear)
        assertEquals("", text(R.id.classify_result))
        assertEquals(activity.getString(R.string.type_something), text(R.id.classify_status))
        assertTrue(isShown(R.id.classify_samples))
        find<FlowLayout>(R.id.classify_samples).getChildAt(1).performClick()
        settle()
        assertFalse(isShown(R.id.classify_samples))
        assertEquals(3, bars(R.id.classify_bars).size)
    }

    @Test
    fun `reads two sentences where the model does`() {
        assertFalse(isShown(R.id.other))
        choosePairs()
        assertTrue(isShown(R.id.other))
        type(R.id.other_sentence, text(R.id.sentence))
        val before = bars(R.id.classify_bars)
        type(R.id.other_sentence, "Something else entirely, and much worse.")
        assertTrue(bars(R.id.classify_bars) != before)
    }

    private fun use(model: String, text: String) {
        install(model)
        app.catalog.refresh()
        app.settings.choose("classify", model)
        settle()
        type(R.id.sentence, text)
    }

    @Test
    fun `shows each of several labels for itself`() {
        val manifest = Golden.bundle("multi_label").manifest
        use("multi_label", "A text that may have several labels.")
        assertTrue(manifest.labels.size > bars(R.id.classify_bars).size)
        press(R.id.classify_all)
        assertEquals(manifest.labels.size, bars(R.id.classify_bars).size)
        val named = manifest.labels.map(::inWords).filter { it in text(R.id.classify_result) }
        assertTrue(named.isNotEmpty() || text(R.id.classify_result) == activity.getString(R.string.no_label))
    }

    @Test
    fun `marks names in the text, and none of an older one`() {
        use("tagged", "Ann lives in Berlin, and Bob has a bad film in Paris. ".repeat(5))
        val shown = find<EditText>(R.id.sentence).text
        val marks = shown.getSpans(0, shown.length, BackgroundColorSpan::class.java)
        val count = text(R.id.classify_result).substringBefore(' ').toInt()
        assertTrue(count > 0)
        assertEquals(count, marks.size)
        val first = marks.minOf { shown.getSpanStart(it) }
        val word = shown.substring(first, marks.minOf { shown.getSpanEnd(it) })
        assertTrue(bars(R.id.classify_bars)[0], bars(R.id.classify_bars)[0].startsWith(word))
        press(R.id.sentence_clear)
        type(R.id.sentence, "x")
        val short = find<EditText>(R.id.sentence).text
        assertTrue(short.getSpans(0, short.length, BackgroundColorSpan::class.java).size <= 1)
    }

    @Test
    fun `chooses a model out of a list`() {
        install("pairs")
        app.catalog.refresh()
        settle()
        press(R.id.classify_model)
        answerDialog(1)
        assertTrue(isShown(R.id.other))
        assertEquals("pairs", app.settings.chosen("classify"))
    }

    @Test
    fun `shows the last of many changes`() {
        for (size in 1..50) find<EditText>(R.id.sentence).setText("word ".repeat(size))
        settle()
        val fast = bars(R.id.classify_bars)
        type(R.id.sentence, "x")
        type(R.id.sentence, "word ".repeat(50))
        assertEquals(bars(R.id.classify_bars), fast)
    }

    @Test
    fun `marks the answer in the text, and another one when it is touched`() {
        answerEveryQuestion()
        open(R.id.ask_tab)
        type(R.id.document, "The answer is \ud83d\ude00 here, somewhere.")
        assertEquals(text(R.id.ask_result), marked())
        assertTrue(marked().isNotEmpty())
        val others = find<LinearLayout>(R.id.ask_bars)
        others.getChildAt(1).performClick()
        assertTrue(bars(R.id.ask_bars)[1].startsWith(marked()))
    }

    private fun marked(): String {
        val shown = find<EditText>(R.id.document).text as Spanned
        val mark = shown.getSpans(0, shown.length, BackgroundColorSpan::class.java).single()
        return shown.substring(shown.getSpanStart(mark), shown.getSpanEnd(mark))
    }

    @Test
    fun `finds the note that says the same, and keeps notes`() {
        open(R.id.notes_tab)
        assertEquals(activity.getString(R.string.no_notes), text(R.id.notes_result))
        for (note in listOf("one thing", "another thing", "quite different words")) {
            find<EditText>(R.id.new_note).setText(note)
            press(R.id.add_note)
        }
        assertEquals("", text(R.id.new_note))
        type(R.id.wanted, "another thing")
        assertEquals("another thing 100 %", bars(R.id.note_rows).first())
        find<View>(R.id.note_rows).findViewById<View>(R.id.delete_note).performClick()
        settle()
        assertEquals(2, bars(R.id.note_rows).size)
        val kept = Notes(TextFile(app.filesDir, "notes.json"), Worker("test")).also { it.load() }
        assertEquals(listOf("quite different words", "one thing"), kept.items)
    }

    @Test
    fun `makes room when memory runs out, and says so where that is not enough`() {
        val choice = app.catalog["classification"]!!
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
        assertTrue("%" in text(R.id.classify_result))
    }

    @Test
    fun `closes its models when the system asks for memory, and those that were used longest ago`() {
        val opened = ArrayList<OpenModel>()
        fun use(name: String) {
            app.models.run(app.catalog[name]!!, { false }, { opened += it }) {}
            settle()
        }
        use("classification")
        use("encoder")
        use("classification")
        assertSame(opened[0], opened[2])
        use("question_answering") // The encoder goes, though it was opened later.
        use("classification")
        assertSame(opened[0], opened[4])
        app.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_BACKGROUND)
        use("classification")
        assertNotSame(opened[4], opened[5])
    }

    @Test
    fun `a model that fails leaves no older result`() {
        install("classification", "worse")
        File(app.filesDir, "bundles/worse/vocab.txt").appendText("x")
        app.catalog.refresh()
        app.settings.choose("classify", "worse")
        settle()
        assertEquals("", text(R.id.classify_result))
        assertEquals(0, bars(R.id.classify_bars).size)
        assertTrue("vocab.txt" in text(R.id.classify_status))
    }

    @Test
    fun `measures speed beside what is typed, and keeps it when it is turned`() {
        open(R.id.speed_tab)
        assertFalse(isShown(R.id.speed_actions))
        press(R.id.run_benchmark)
        app.benchmarks.await()
        settle()
        val rows = app.benchmarks.done
        assertEquals(app.benchmarks.total, rows)
        turn("+land")
        assertTrue(isShown(R.id.speed_actions))
        press(R.id.copy)
        val clip = app.getSystemService(ClipboardManager::class.java).primaryClip!!.getItemAt(0)
        assertEquals(rows, JSONObject(clip.text.toString()).getJSONArray("latency_ms").length())
    }

    @Test
    fun `a measurement that is cancelled stops, and says so`() {
        open(R.id.speed_tab)
        find<View>(R.id.run_benchmark).performClick()
        find<View>(R.id.stop_benchmark).performClick()
        app.benchmarks.await()
        settle()
        assertTrue(app.benchmarks.done < app.benchmarks.total)
        assertEquals(activity.getString(R.string.speed_stopped), text(R.id.speed_status))
    }

    /** Holds up the models' thread while [work] is done. */
    private fun whileModelsAreBusy(work: () -> Unit) {
        val end = CountDownLatch(1)
        app.models.run(app.catalog["classification"]!!, { false }, { end.await() }) {}
        work()
        end.countDown()
        settle()
    }

    @Test
    fun `a question that is left is not answered`() {
        open(R.id.ask_tab)
        whileModelsAreBusy {
            find<EditText>(R.id.question).setText("Is it asked in vain?")
            shadowOf(Looper.getMainLooper()).idle()
            find<RadioGroup>(R.id.tabs).check(R.id.models_tab)
            Interpreter.runs.clear()
        }
        assertEquals(0, Interpreter.runs.size)
    }

    @Test
    fun `speed is measured beside the other models`() {
        open(R.id.speed_tab)
        whileModelsAreBusy {
            find<View>(R.id.run_benchmark).performClick()
            app.benchmarks.await()
            shadowOf(Looper.getMainLooper()).idle()
            assertEquals(app.benchmarks.total, app.benchmarks.done)
        }
    }

    @Test
    fun `says where there is no model for a page`() {
        for (model in app.catalog.models!!.filter { it.isAdded }) app.catalog.delete(model)
        settle()
        assertEquals(activity.getString(R.string.no_model), text(R.id.classify_status))
        assertEquals(0, File(app.filesDir, "bundles").list()!!.size)
    }

    @Test
    fun `survives empty, binary and huge text`() {
        type(R.id.sentence, "")
        type(R.id.sentence, String(CharArray(3000) { (it * 31).toChar() }))
        type(R.id.sentence, "word ".repeat(2_000_000))
        assertTrue(text(R.id.classify_result).isNotEmpty())
    }
}
