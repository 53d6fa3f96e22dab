package org.tfminilm.demo

import android.app.Activity
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Rect
import android.os.Bundle
import android.os.Looper
import android.os.Parcel
import android.text.Layout
import android.text.style.BackgroundColorSpan
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.Spinner
import android.widget.TextView
import java.io.File
import java.time.Duration
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/** What the screens look like, and that a rotation loses nothing. */
class LayoutTest : ActivityTestCase() {
    @Test
    fun `keeps text, tab and model when it is turned`() {
        install("encoder", "other")
        choosePairs()
        open(R.id.notes_tab)
        find<Spinner>(R.id.notes_model).setSelection(1)
        for ((index, field) in fields().withIndex()) type(field.id, "typed by hand $index")
        turn("+land")
        assertEquals(7, fields().size)
        for ((index, field) in fields().withIndex()) {
            assertEquals("typed by hand $index", field.text.toString())
        }
        assertEquals("other", find<Spinner>(R.id.notes_model).selectedItem.toString())
        assertEquals(View.VISIBLE, find<View>(R.id.notes_page).visibility)
        assertTrue(text(R.id.notes_result).isNotEmpty())
        open(R.id.sentiment_tab)
        assertEquals(View.VISIBLE, find<View>(R.id.other).visibility)
        assertTrue(text(R.id.sentiment_result), "%" in text(R.id.sentiment_result))
    }

    @Test
    fun `marks one answer, also when it is turned`() {
        answerEveryQuestion()
        open(R.id.question_tab)
        for (qualifiers in listOf("+land", "+night", "+port")) {
            turn(qualifiers)
            type(R.id.asked, "What is typed under $qualifiers?")
            val shown = find<EditText>(R.id.document).text
            val marks = shown.getSpans(0, shown.length, BackgroundColorSpan::class.java)
            assertEquals(1, marks.size)
        }
    }

    @Test
    fun `what the system saves of full fields is small`() {
        val text = "\u4e2d".repeat(10_000_000)
        for (field in fields()) type(field.id, text)
        val saved = Bundle()
        controller.saveInstanceState(saved)
        val parcel = Parcel.obtain().also { it.writeBundle(saved) }
        assertTrue("${parcel.dataSize()} bytes", parcel.dataSize() in 500_000..1_000_000)
        parcel.recycle()
    }

    @Test
    fun `names every field for who does not see it`() {
        val labels = views().filterIsInstance<TextView>().filter { it.labelFor != View.NO_ID }
            .associate { it.labelFor to it.text.toString() }
        val named = views().filter { it is EditText || it is Spinner }.toList()
        assertEquals(13, named.size)
        for (view in named) {
            val name = activity.resources.getResourceEntryName(view.id)
            assertTrue(name, labels[view.id].orEmpty().isNotBlank())
            assertEquals(name, null, view.contentDescription) // It would hide the content.
        }
        choosePairs()
        for (tab in TABS.values) {
            open(tab)
            for (view in views().filter { it.isClickable && it.isShown }) {
                assertTrue("$view", view.height >= 48 * activity.resources.displayMetrics.density)
            }
        }
        val results = listOf(R.id.sentiment_result, R.id.question_result, R.id.notes_result)
        for (result in results.map { find<View>(it) }) {
            assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE, result.accessibilityLiveRegion)
        }
    }

    @Test
    fun `is laid out from the right where one reads so`() {
        turn("+ar-ldrtl")
        assertEquals(View.LAYOUT_DIRECTION_RTL, activity.window.decorView.layoutDirection)
        val label = views().filterIsInstance<TextView>().first { it.labelFor == R.id.sentence }
        assertEquals(label.layout.width.toFloat(), label.layout.getLineRight(0), 1f)
        type(R.id.sentence, "\u05e9\u05dc\u05d5\u05dd world")
        val layout = find<EditText>(R.id.sentence).layout
        assertEquals(Layout.DIR_RIGHT_TO_LEFT, layout.getParagraphDirection(0))
        assertTrue("%" in text(R.id.sentiment_result))
    }

    @Test
    fun `large letters have room`() {
        RuntimeEnvironment.setFontScale(2f)
        controller.recreate()
        for (tab in TABS.values) {
            open(tab)
            val filled = views().filterIsInstance<TextView>().filter { it.isShown && it.text.isNotEmpty() }
            for (view in filled) {
                val wanted = view.layout.height + view.compoundPaddingTop + view.compoundPaddingBottom
                assertTrue("$view", view.height >= wanted)
            }
        }
    }

    @Test
    fun `shows the tab that is open`() {
        open(R.id.benchmark_tab)
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(1))
        val tab = find<View>(R.id.benchmark_tab)
        val seen = Rect()
        assertTrue(tab.getGlobalVisibleRect(seen))
        assertEquals(tab.width, seen.width())
    }

    @Test
    fun `draws every screen by day and night`() {
        for (mode in MODES) {
            turn("+$mode")
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
        choosePairs()
        for (mode in MODES) {
            turn("+$mode")
            save(draw(activity), "pairs-$mode.png")
        }
    }

    /** All views of the activity, those of hidden pages too. */
    private fun views(root: View = find(android.R.id.content)): Sequence<View> = sequence {
        yield(root)
        if (root is ViewGroup) for (at in 0 until root.childCount) yieldAll(views(root.getChildAt(at)))
    }

    private fun fields() = views().filterIsInstance<EditText>().toList()

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
        val MODES = listOf("notnight", "night")
        val TABS = mapOf(
            "sentiment" to R.id.sentiment_tab,
            "question" to R.id.question_tab,
            "notes" to R.id.notes_tab,
            "models" to R.id.bundles_tab,
            "benchmark" to R.id.benchmark_tab,
        )
    }
}
