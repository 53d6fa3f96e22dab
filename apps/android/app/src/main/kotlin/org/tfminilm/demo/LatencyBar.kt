package org.tfminilm.demo

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View

/** A bar as long as the median, and a mark at the 95th percentile. */
class LatencyBar(context: Context, attributes: AttributeSet? = null) : View(context, attributes) {
    private val track = paint(R.color.track)
    private val bar = paint(R.color.accent)
    private val mark = paint(R.color.outline)
    private var median = 0f
    private var p95 = 0f

    /** @param scale what fills the whole width. */
    fun show(median: Double, p95: Double, scale: Double) {
        this.median = (median / scale).toFloat()
        this.p95 = (p95 / scale).toFloat()
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        val density = resources.displayMetrics.density
        if (layoutDirection == LAYOUT_DIRECTION_RTL) canvas.scale(-1f, 1f, width / 2f, 0f)
        val radius = 4 * density
        val edge = 2 * density
        canvas.drawRoundRect(0f, edge, width.toFloat(), height - edge, radius, radius, track)
        canvas.drawRoundRect(0f, edge, width * median, height - edge, radius, radius, bar)
        val end = width * minOf(p95, 1f)
        canvas.drawRoundRect(end - 3 * density, 0f, end, height.toFloat(), edge, edge, mark)
    }

    private fun paint(color: Int) = Paint(Paint.ANTI_ALIAS_FLAG).apply { this.color = context.getColor(color) }
}
