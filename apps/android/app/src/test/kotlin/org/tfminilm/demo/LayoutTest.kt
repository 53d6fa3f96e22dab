package org.tfminilm.demo

import android.os.Bundle
import android.os.Parcel
import android.text.Layout
import android.text.style.BackgroundColorSpan
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.ImageButton
import android.widget.TextView
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.RuntimeEnvironment

/** That the pages can be read and used by everyone, and that a rotation loses nothing. */
class LayoutTest : ActivityTestCase() {
    private fun fields() = views().filterIsInstance<EditText>().toList()

    @Test
    fun `keeps texts, tab and model when it is turned`() {
        install("encoder", "other")
        choosePairs()
        app.settings.choose("notes", "other")
        open(R.id.notes_tab)
        for ((index, field) in fields().withIndex()) type(field.id, "typed by hand $index")
        turn("+land")
        assertEquals(6, fields().size)
        for ((index, field) in fields().withIndex()) {
            assertEquals("typed by hand $index", field.text.toString())
        }
        assertEquals("Other", find<View>(R.id.notes_model).findViewById<TextView>(R.id.model_title).text.toString())
        assertEquals(View.VISIBLE, find<View>(R.id.notes_page).visibility)
        open(R.id.classify_tab)
        assertEquals(View.VISIBLE, find<View>(R.id.other).visibility)
        assertTrue(text(R.id.classify_result), "%" in text(R.id.classify_result))
    }

    @Test
    fun `marks one answer, also when it is turned`() {
        answerEveryQuestion()
        open(R.id.ask_tab)
        for (qualifiers in listOf("+land", "+night", "+port")) {
            turn(qualifiers)
            type(R.id.question, "What is typed under $qualifiers?")
            val shown = find<EditText>(R.id.document).text
            val marks = shown.getSpans(0, shown.length, BackgroundColorSpan::class.java)
            assertEquals(1, marks.size)
        }
    }

    @Test
    fun `the system saves none of the texts`() {
        for (field in fields()) type(field.id, "\u4e2d".repeat(10_000_000))
        val saved = Bundle()
        controller.saveInstanceState(saved)
        val parcel = Parcel.obtain().also { it.writeBundle(saved) }
        assertTrue("${parcel.dataSize()} bytes", parcel.dataSize() < 20_000)
        parcel.recycle()
    }

    @Test
    fun `names every field and button for who does not see it`() {
        app.notes.add(listOf("a note"))
        settle()
        val labels = views().filterIsInstance<TextView>().filter { it.labelFor != View.NO_ID }
            .associate { it.labelFor to it.text.toString() }
        assertEquals(6, fields().size)
        for (view in fields()) {
            val name = activity.resources.getResourceEntryName(view.id)
            assertTrue(name, labels[view.id].orEmpty().isNotBlank())
            assertEquals(name, null, view.contentDescription) // It would hide the content.
        }
        for (view in views().filterIsInstance<ImageButton>()) {
            assertTrue("$view", view.contentDescription.isNotBlank())
        }
        val live = listOf(R.id.classify_result, R.id.ask_result, R.id.notes_result, R.id.import_text)
        for (view in live.map { find<View>(it) }) {
            assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE, view.accessibilityLiveRegion)
        }
    }

    @Test
    fun `everything has room for a finger, and one left edge`() {
        choosePairs()
        val density = activity.resources.displayMetrics.density
        val edge = activity.resources.getDimensionPixelSize(R.dimen.edge)
        for (tab in TABS.values) {
            open(tab)
            for (view in views().filter { it.isClickable && it.isShown }) {
                assertTrue("$view", view.height >= 48 * density && view.width >= 48 * density)
            }
            val page = find<ViewGroup>(R.id.pages)
            val column = (0 until page.childCount).map { page.getChildAt(it) }.single { it.isShown }
            val place = IntArray(2)
            for (view in views(column).filterIsInstance<EditText>()) {
                view.getLocationInWindow(place)
                assertEquals("$view", edge, place[0])
            }
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
        assertTrue(text(R.id.classify_result).isNotEmpty())
    }

    @Test
    fun `large letters have room`() {
        RuntimeEnvironment.setFontScale(2f)
        controller.recreate()
        settle()
        for (tab in TABS.values) {
            open(tab)
            val filled = views().filterIsInstance<TextView>()
                .filter { it.isShown && it.text.isNotEmpty() && it.maxLines > 100 && it.ellipsize == null }
            for (view in filled) {
                val wanted = view.layout.height + view.compoundPaddingTop + view.compoundPaddingBottom
                assertTrue("$view ${view.text}", view.height >= wanted)
            }
        }
    }

    @Test
    fun `no place of the app is cut`() {
        for (qualifiers in listOf("w320dp-h568dp", "w360dp-h640dp", "w800dp-h1280dp")) {
            turn(qualifiers)
            for (tab in TABS.values.map { find<TextView>(it) }) {
                assertEquals(0, tab.layout.getEllipsisCount(0))
                assertEquals(1, tab.layout.lineCount)
                assertTrue(tab.layout.getLineWidth(0) <= tab.width)
            }
        }
    }
}
