package org.tfminilm.demo

import android.content.Intent
import android.os.Looper
import android.widget.EditText
import java.time.Duration
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/** Draws every screen: by day and night, on a phone and a tablet, with large letters, from the right. */
class ScreensTest : ActivityTestCase() {
    override fun prepare() {
        install("classification", "film_reviews")
        install("encoder", "sentences")
        install("question_answering", "questions")
        install("pairs", "paraphrases")
        app.settings.choose("classify", "film_reviews")
        app.settings.choose("speed", "film_reviews")
    }

    @Test
    fun `by day`() = drawAll("day", "+notnight")

    @Test
    fun `by night`() = drawAll("night", "+night")

    @Test
    fun `on a tablet`() = drawAll("tablet", "w800dp-h1280dp-mdpi")

    @Test
    fun `from the right`() = drawAll("rtl", "+ar-ldrtl")

    @Test
    fun `with large letters`() {
        RuntimeEnvironment.setFontScale(1.6f)
        drawAll("large", "+notnight")
    }

    private fun drawAll(mode: String, qualifiers: String) {
        app.notes.add(app.resources.getStringArray(R.array.note_samples).toList())
        turn(qualifiers)
        snap("classify-hint", mode)
        app.settings.hintIsRead = true
        open(R.id.speed_tab)
        press(R.id.run_benchmark)
        app.benchmarks.await()
        settle()
        for ((name, tab) in TABS) {
            open(tab)
            if (tab == R.id.notes_tab) type(R.id.wanted, activity.getString(R.string.search_example))
            snap(name, mode)
        }
        open(R.id.classify_tab)
        snapScreens(mode)
        press(R.id.sentence_clear)
        snap("classify-empty", mode)
        type(R.id.sentence, activity.getString(R.string.sentence_example))
        app.settings.choose("classify", "paraphrases")
        open(R.id.ask_tab)
        open(R.id.classify_tab)
        snap("classify-pair", mode)
    }

    private fun snapScreens(mode: String) {
        val model = app.catalog["film_reviews"]!!
        val screens = mapOf(
            "details" to DetailsActivity.intent(app, model),
            "tokens" to TokensActivity.intent(app, model, "sentence"),
            "history" to Intent(app, HistoryActivity::class.java),
            "settings" to Intent(app, SettingsActivity::class.java),
            "compare" to Intent(app, CompareActivity::class.java),
        )
        app.drafts["sentence"] = app.getString(R.string.sentence_example)
        for ((name, intent) in screens) {
            val type = Class.forName(intent.component!!.className).asSubclass(AppActivity::class.java)
            val controller = Robolectric.buildActivity(type, intent).setup()
            settle()
            if (name == "compare") press(R.id.run_compare, controller.get())
            shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(1))
            save(draw(controller.get()), "$name-$mode.png")
            controller.close()
        }
    }

    private fun snap(name: String, mode: String) {
        settle()
        // A press ends with an animation.
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(1))
        activity.currentFocus?.takeIf { it is EditText }?.clearFocus()
        val bitmap = draw(activity)
        val colours = (0 until bitmap.height step 8).map { bitmap.getPixel(bitmap.width / 3, it) }.toSet()
        assertTrue("$name is empty", colours.size > 3)
        save(bitmap, "$name-$mode.png")
    }
}
