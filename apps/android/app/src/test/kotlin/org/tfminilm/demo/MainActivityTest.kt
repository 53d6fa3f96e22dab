package org.tfminilm.demo

import android.app.Activity
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Canvas
import android.os.Looper
import android.text.Spanned
import android.text.style.BackgroundColorSpan
import android.view.View
import android.widget.EditText
import android.widget.RadioGroup
import android.widget.Spinner
import android.widget.TextView
import java.io.File
import java.time.Duration
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.junit.runners.model.FrameworkMethod
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.internal.bytecode.InstrumentationConfiguration
import org.tfminilm.Golden

/** One copy of JNA, as its native half knows one only. */
class Runner(test: Class<*>) : RobolectricTestRunner(test) {
    override fun createClassLoaderConfig(method: FrameworkMethod): InstrumentationConfiguration =
        InstrumentationConfiguration.Builder(super.createClassLoaderConfig(method))
            .doNotAcquirePackage("com.sun.jna.")
            .build()
}

@RunWith(Runner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = "w360dp-h640dp-xhdpi")
class MainActivityTest {
    private lateinit var controller: ActivityController<MainActivity>
    private val activity: MainActivity get() = controller.get()
    private val app get() = RuntimeEnvironment.getApplication() as DemoApp

    @Before
    fun start() {
        for (task in TASKS) install(task)
        controller = Robolectric.buildActivity(MainActivity::class.java).setup()
        settle()
    }

    @After
    fun stop() {
        controller.close()
    }

    private fun install(task: String, name: String = task) {
        Golden.file(task).copyRecursively(File(app.filesDir, "bundles/$name"), overwrite = true)
    }

    /** Until the models and what they show are done. */
    private fun settle() = repeat(3) {
        shadowOf(Looper.getMainLooper()).idle()
        app.models.await()
        shadowOf(Looper.getMainLooper()).idle()
    }

    private fun <T : View> find(id: Int): T = activity.findViewById(id)

    private fun text(id: Int) = find<TextView>(id).text.toString()

    private fun type(id: Int, text: String) {
        find<EditText>(id).setText(text)
        settle()
    }

    private fun open(tab: Int) {
        find<RadioGroup>(R.id.tabs).check(tab)
        settle()
    }

    @Test
    fun `classifies while a sentence is typed`() {
        val before = text(R.id.sentiment_result)
        val labels = Golden.bundle("classification").manifest.labels
        assertEquals(labels.size, before.lines().size)
        assertTrue(before, "%" in before)
        type(R.id.sentence, "Something else entirely, and much worse.")
        assertTrue(text(R.id.sentiment_result) != before)
        assertTrue(text(R.id.sentiment_status), "MB" in text(R.id.sentiment_status))
    }

    @Test
    fun `reads two sentences where the model does`() {
        assertEquals(View.GONE, find<View>(R.id.other).visibility)
        install("pairs")
        open(R.id.question_tab)
        open(R.id.sentiment_tab)
        find<Spinner>(R.id.sentiment_model).setSelection(1)
        settle()
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
        open(R.id.question_tab)
        type(R.id.document, "The answer is \ud83d\ude00 here, somewhere.")
        val shown = find<EditText>(R.id.document).text as Spanned
        val marks = shown.getSpans(0, shown.length, BackgroundColorSpan::class.java)
        if (text(R.id.question_result) == activity.getString(R.string.no_answer)) {
            assertEquals(0, marks.size)
        } else {
            val marked = shown.substring(shown.getSpanStart(marks[0]), shown.getSpanEnd(marks[0]))
            assertEquals(text(R.id.question_result), marked)
        }
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
    fun `keeps text, tab and model when it is turned`() {
        install("encoder", "other")
        open(R.id.notes_tab)
        find<Spinner>(R.id.notes_model).setSelection(1)
        type(R.id.wanted, "typed by hand")
        RuntimeEnvironment.setQualifiers("+land")
        controller.recreate()
        settle()
        assertEquals("typed by hand", text(R.id.wanted))
        assertEquals("other", find<Spinner>(R.id.notes_model).selectedItem.toString())
        assertEquals(View.VISIBLE, find<View>(R.id.notes_page).visibility)
        assertTrue(text(R.id.notes_result).isNotEmpty())
    }

    @Test
    fun `opens a bundle, and says what is wrong with a bad one`() {
        open(R.id.bundles_tab)
        pick("good", Golden.file("classification"))
        assertEquals("good", text(R.id.open_result))
        val spinner = find<Spinner>(R.id.sentiment_model)
        assertEquals(2, spinner.adapter.count)

        val folder = File(app.cacheDir, "bad").also { it.mkdirs() }
        Golden.file("classification").copyRecursively(folder, overwrite = true)
        File(folder, "vocab.txt").appendText("x")
        pick("bad", folder)
        assertTrue(text(R.id.open_result), "vocab.txt" in text(R.id.open_result))
        assertEquals(2, find<Spinner>(R.id.sentiment_model).adapter.count)
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
        type(R.id.sentence, "word ".repeat(20_000))
        assertTrue(text(R.id.sentiment_result).isNotEmpty())
    }

    @Test
    fun `draws every screen by day and night`() {
        for (mode in listOf("notnight", "night")) {
            RuntimeEnvironment.setQualifiers("+$mode")
            controller.recreate()
            for ((name, tab) in TABS) {
                open(tab)
                if (tab == R.id.bundles_tab) find<View>(R.id.compare).performClick()
                if (tab == R.id.benchmark_tab) find<View>(R.id.run_benchmark).performClick()
                settle()
                // A press ends with an animation.
                shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(1))
                save(draw(activity), "$name-$mode.png")
                assertShown(tab)
            }
        }
    }

    private fun assertShown(tab: Int) {
        val result = when (tab) {
            R.id.sentiment_tab -> R.id.sentiment_result
            R.id.question_tab -> R.id.question_result
            R.id.notes_tab -> R.id.notes_result
            R.id.bundles_tab -> R.id.compare_result
            else -> R.id.benchmark_result
        }
        assertTrue(find<View>(result).height > 0)
        assertTrue(text(result).isNotEmpty())
    }

    private fun pick(name: String, folder: File) {
        val zip = File(app.cacheDir, "$name.zip")
        ZipOutputStream(zip.outputStream()).use { output ->
            for (file in folder.listFiles().orEmpty()) {
                output.putNextEntry(ZipEntry("$name/${file.name}"))
                file.inputStream().use { it.copyTo(output) }
            }
        }
        find<View>(R.id.open_bundle).performClick()
        val asked = shadowOf(activity).nextStartedActivityForResult
        val answer = Intent().setData(android.net.Uri.fromFile(zip))
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, answer)
        settle()
    }

    private fun draw(activity: Activity): Bitmap {
        val view = activity.window.decorView
        val bitmap = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
        view.draw(Canvas(bitmap))
        return bitmap
    }

    private fun save(bitmap: Bitmap, name: String) {
        val folder = System.getProperty("tfminilm.screenshots") ?: return
        File(folder, name).outputStream().use { bitmap.compress(Bitmap.CompressFormat.PNG, 90, it) }
    }

    private companion object {
        val TASKS = listOf("encoder", "classification", "question_answering")
        val TABS = mapOf(
            "sentiment" to R.id.sentiment_tab,
            "question" to R.id.question_tab,
            "notes" to R.id.notes_tab,
            "models" to R.id.bundles_tab,
            "benchmark" to R.id.benchmark_tab,
        )
    }
}
