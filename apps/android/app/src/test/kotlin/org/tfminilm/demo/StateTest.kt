package org.tfminilm.demo

import android.content.Intent
import android.graphics.Color
import android.net.Uri
import android.text.SpannableString
import android.text.Spanned
import android.text.style.ForegroundColorSpan
import android.text.style.RelativeSizeSpan
import android.view.View
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.TextView
import java.io.ByteArrayInputStream
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowToast

/** What the app keeps, takes from other apps, and gives to them. */
class StateTest : ActivityTestCase() {
    @Test
    fun `texts and the chosen model outlive the process`() {
        choosePairs()
        val text = "long ".repeat(7000)
        type(R.id.sentence, text)
        controller.pause().stop()
        app.awaitDisk()
        val drafts = Drafts(TextFile(app.filesDir, "drafts.json"), Worker("test")).also { it.load() }
        assertEquals(text, drafts["sentence"])
        assertEquals("pairs", Settings(app).chosen("classify"))
    }

    @Test
    fun `says that a text is cut, and pastes without colours`() {
        val pasted = SpannableString("x".repeat(80_000))
        pasted.setSpan(ForegroundColorSpan(Color.RED), 0, 100, Spanned.SPAN_EXCLUSIVE_EXCLUSIVE)
        pasted.setSpan(RelativeSizeSpan(3f), 100, 200, Spanned.SPAN_EXCLUSIVE_EXCLUSIVE)
        find<EditText>(R.id.sentence).setText(pasted)
        settle()
        assertEquals(activity.getString(R.string.cut, 40_000, 80_000), text(R.id.sentence_notice))
        assertTrue(isShown(R.id.sentence_notice))
        val shown = find<EditText>(R.id.sentence).text
        assertEquals(40_000, shown.length)
        assertEquals(0, shown.getSpans(0, shown.length, ForegroundColorSpan::class.java).size)
        assertEquals(0, shown.getSpans(0, shown.length, RelativeSizeSpan::class.java).size)
        type(R.id.sentence, "short")
        assertFalse(isShown(R.id.sentence_notice))
    }

    @Test
    fun `keeps what was classified, and brings it back`() {
        type(R.id.sentence, "The first text.")
        press(R.id.sentence_clear)
        type(R.id.sentence, "The second text.")
        activity.startActivity(Intent(activity, HistoryActivity::class.java))
        controller.pause().stop()
        val history = screen(HistoryActivity::class.java)
        val rows: LinearLayout = history.get().findViewById(R.id.history_rows)
        assertEquals(listOf("The second text.", "The first text."), app.history.entries.map { it.text }.take(2))
        rows.getChildAt(1).performClick()
        settle()
        assertEquals("The first text.", app.drafts["sentence"])
        assertTrue(history.get().isFinishing)
        app.history.clear()
        settle()
        assertTrue(File(app.filesDir, "history.json").readText() == "[]")
        app.settings.keepsHistory = false
        app.history.add(Entry("classify", "a", null, "b", 0))
        assertEquals(0, app.history.entries.size)
        history.close()
    }

    @Test
    fun `a text that is selected or shared in another app is classified`() {
        controller.close()
        val intent = Intent(Intent.ACTION_PROCESS_TEXT).setClassName(app, "org.tfminilm.demo.ClassifyText")
            .putExtra(Intent.EXTRA_PROCESS_TEXT, "Selected elsewhere.")
        launch(intent)
        assertEquals("Selected elsewhere.", text(R.id.sentence))
        assertTrue("%" in text(R.id.classify_result))
        controller.newIntent(
            Intent(Intent.ACTION_SEND).setClassName(app, "org.tfminilm.demo.AskText")
                .putExtra(Intent.EXTRA_TEXT, "A text to look in."),
        )
        settle()
        assertEquals("A text to look in.", text(R.id.document))
        assertEquals(View.VISIBLE, find<View>(R.id.ask_page).visibility)
    }

    @Test
    fun `the manifest names what other apps may send`() {
        for (action in listOf(Intent.ACTION_PROCESS_TEXT, Intent.ACTION_SEND)) {
            val found = app.packageManager.queryIntentActivities(Intent(action).setType("text/plain"), 0)
                .map { it.activityInfo.name }.filter { it.startsWith("org.tfminilm") }
            assertTrue("$found", "org.tfminilm.demo.ClassifyText" in found)
        }
    }

    @Test
    fun `shares an answer`() {
        press(R.id.classify_share)
        val chooser = shadowOf(activity).nextStartedActivity
        val sent: Intent = chooser.getParcelableExtra(Intent.EXTRA_INTENT)!!
        val text = sent.getStringExtra(Intent.EXTRA_TEXT)!!
        assertEquals(text(R.id.sentence) + "\n" + text(R.id.classify_result), text)
    }

    @Test
    fun `opens a text file, and says what is none`() {
        fun open(content: ByteArray) {
            val uri = Uri.parse("content://files/a.txt")
            shadowOf(app.contentResolver).registerInputStream(uri, ByteArrayInputStream(content))
            press(R.id.sentence_open)
            answerPicker(uri)
            Thread.sleep(100)
            repeat(20) {
                Thread.sleep(20)
                settle()
            }
        }
        open("\uFEFFLe caf\u00e9 est ferm\u00e9.".toByteArray())
        assertEquals("Le caf\u00e9 est ferm\u00e9.", text(R.id.sentence))
        open(byteArrayOf(0x50, 0x4b, -1, -2))
        assertEquals("Le caf\u00e9 est ferm\u00e9.", text(R.id.sentence))
        assertTrue("no text" in ShadowToast.getTextOfLatestToast())
    }

    @Test
    fun `shows the pieces of a text, and how much of the length is used`() {
        type(R.id.sentence, "unbelievable films")
        press(R.id.classify_tokens)
        val tokens = screen(TokensActivity::class.java)
        val chips: FlowLayout = tokens.get().findViewById(R.id.token_chips)
        val pieces = List(chips.childCount) {
            chips.getChildAt(it).findViewById<TextView>(R.id.token_piece).text.toString()
        }
        assertEquals("start", pieces.first())
        assertEquals("end", pieces.last())
        assertEquals("unbelievablefilms", pieces.drop(1).dropLast(1).joinToString(""))
        val used: TextView = tokens.get().findViewById(R.id.tokens_used)
        assertEquals("${pieces.size} of 128 tokens used", used.text.toString())
        tokens.close()
    }
}
