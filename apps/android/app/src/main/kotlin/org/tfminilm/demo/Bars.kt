package org.tfminilm.demo

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.ProgressBar
import android.widget.TextView
import kotlin.math.roundToInt

/** A label with a value and a bar of its length. */
class Bar(val label: CharSequence, val value: String, val share: Double, val isStrong: Boolean = false)

/** Shows bars in a group, in the rows that it has as far as they go. */
fun ViewGroup.showBars(bars: List<Bar>, onClick: ((Int) -> Unit)? = null) {
    fillWith(bars.size, R.layout.bar_row)
    for ((at, bar) in bars.withIndex()) {
        val row = getChildAt(at)
        row.showBar(bar)
        row.setOnClickListener(onClick?.let { click -> View.OnClickListener { click(at) } })
        row.isClickable = onClick != null
        row.setBackgroundResource(if (onClick == null) 0 else R.drawable.touched)
        row.minimumHeight = if (onClick == null) 0 else row.resources.touchable
    }
}

fun View.showBar(bar: Bar) {
    val label: TextView = findViewById(R.id.bar_label)
    label.text = bar.label
    label.typeface = android.graphics.Typeface.create(
        if (bar.isStrong) "sans-serif-medium" else "sans-serif",
        android.graphics.Typeface.NORMAL,
    )
    findViewById<TextView>(R.id.bar_value).text = bar.value
    val progress: ProgressBar = findViewById(R.id.bar)
    progress.visibility = if (bar.share.isNaN()) View.GONE else View.VISIBLE
    if (!bar.share.isNaN()) progress.progress = (FULL * bar.share.coerceIn(0.0, 1.0)).roundToInt()
}

/** Gives a group so many rows of a layout. */
fun ViewGroup.fillWith(count: Int, layout: Int) {
    if (childCount > count) removeViews(count, childCount - count)
    val inflater = LayoutInflater.from(context)
    while (childCount < count) inflater.inflate(layout, this, true)
}

private val android.content.res.Resources.touchable get() = (48 * displayMetrics.density).roundToInt()

private const val FULL = 1000
