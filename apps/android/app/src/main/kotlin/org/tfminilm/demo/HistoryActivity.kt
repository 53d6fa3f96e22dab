package org.tfminilm.demo

import android.app.AlertDialog
import android.os.Bundle
import android.text.format.DateUtils
import android.view.View
import android.widget.LinearLayout
import android.widget.TextView

/** What was classified and asked; a touch brings it back. */
class HistoryActivity : ScreenActivity(R.string.history, R.layout.history) {
    private val historyChanged = ::update
    private var shown = 0

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        app.history.watch(historyChanged)
        findViewById<View>(R.id.history_clear).setOnClickListener { askToClear() }
    }

    override fun onDestroy() {
        app.history.unwatch(historyChanged)
        super.onDestroy()
    }

    override fun update() {
        val isEmpty = app.history.entries.isEmpty()
        findViewById<View>(R.id.history_empty).visibility = if (isEmpty) View.VISIBLE else View.GONE
        findViewById<View>(R.id.history_clear).visibility = if (isEmpty) View.GONE else View.VISIBLE
        shown = 0
        showMore()
    }

    /** Some at a time, as a hundred would hold up the screen. */
    private fun showMore() {
        if (isDestroyed) return
        val entries = app.history.entries
        val rows: LinearLayout = findViewById(R.id.history_rows)
        val end = minOf(shown + AT_ONCE, entries.size)
        if (rows.childCount > entries.size) rows.fillWith(entries.size, R.layout.history_row)
        if (rows.childCount < end) rows.fillWith(end, R.layout.history_row)
        for (at in shown until end) show(rows.getChildAt(at), entries[at])
        shown = end
        if (end < entries.size) rows.post(::showMore)
    }

    private fun show(row: View, entry: Entry) {
        val texts = if (entry.place == AskPage.PLACE) listOf(entry.text) else listOfNotNull(entry.text, entry.second)
        row.findViewById<TextView>(R.id.history_text).text = texts.joinToString("\n")
        row.findViewById<TextView>(R.id.history_result).text = entry.result
        row.findViewById<TextView>(R.id.history_time).text =
            DateUtils.getRelativeTimeSpanString(entry.time, System.currentTimeMillis(), DateUtils.MINUTE_IN_MILLIS)
        row.setOnClickListener { restore(entry) }
    }

    private fun restore(entry: Entry) {
        val (first, second) = FIELDS.getValue(if (entry.place == AskPage.PLACE) AskPage.PLACE else ClassifyPage.PLACE)
        app.drafts[first] = entry.text
        entry.second?.let { app.drafts[second] = it }
        startActivity(MainActivity.intent(this, entry.place))
        finish()
    }

    private fun askToClear() = show(
        AlertDialog.Builder(this).setMessage(R.string.history_clear_asks)
            .setPositiveButton(R.string.history_clear) { _, _ -> app.history.clear() }
            .setNegativeButton(R.string.cancel, null),
    )

    private companion object {
        const val AT_ONCE = 15
        val FIELDS = mapOf(
            ClassifyPage.PLACE to ("sentence" to "other"),
            AskPage.PLACE to ("question" to "document"),
        )
    }
}
