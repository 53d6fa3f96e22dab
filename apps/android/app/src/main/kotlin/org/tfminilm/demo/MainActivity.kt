package org.tfminilm.demo

import android.app.Activity
import android.content.Intent
import android.graphics.Rect
import android.os.Bundle
import android.view.View
import android.widget.RadioGroup

/** Tabs and their pages; what is typed and chosen outlives a rotation. */
class MainActivity : Activity() {
    private val pages = mapOf(
        R.id.sentiment_tab to R.id.sentiment_page,
        R.id.question_tab to R.id.question_page,
        R.id.notes_tab to R.id.notes_page,
        R.id.bundles_tab to R.id.bundles_page,
        R.id.benchmark_tab to R.id.benchmark_page,
    )
    private lateinit var screens: Map<Int, Screen>
    private lateinit var bundles: BundlesScreen
    private lateinit var tabs: RadioGroup

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.main)
        val models = (application as DemoApp).models
        bundles = BundlesScreen(this, models) { show(tabs.checkedRadioButtonId) }
        screens = mapOf(
            R.id.sentiment_tab to SentimentScreen(this, models),
            R.id.question_tab to QuestionScreen(this, models),
            R.id.notes_tab to NotesScreen(this, models),
            R.id.bundles_tab to bundles,
            R.id.benchmark_tab to BenchmarkScreen(this, models),
        )
        tabs = findViewById(R.id.tabs)
        tabs.setOnCheckedChangeListener { _, tab -> show(tab) }
        if (savedInstanceState == null) tabs.check(R.id.sentiment_tab)
    }

    override fun onPostCreate(savedInstanceState: Bundle?) {
        super.onPostCreate(savedInstanceState)
        show(tabs.checkedRadioButtonId)
    }

    override fun onDestroy() {
        screens.values.forEach { it.stop() }
        super.onDestroy()
    }

    @Deprecated("The framework's way to results; androidx has another.")
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        if (requestCode == BundlesScreen.PICK && resultCode == RESULT_OK) {
            data?.data?.let { bundles.open(it) }
        }
    }

    private fun show(tab: Int) {
        for ((each, page) in pages) {
            findViewById<View>(page).visibility = if (each == tab) View.VISIBLE else View.GONE
        }
        val button = findViewById<View>(tab)
        button.post { button.requestRectangleOnScreen(Rect(0, 0, button.width, button.height)) }
        screens.getValue(tab).refresh()
    }
}
