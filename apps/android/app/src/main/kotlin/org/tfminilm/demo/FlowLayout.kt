package org.tfminilm.demo

import android.content.Context
import android.util.AttributeSet
import android.view.View
import android.view.ViewGroup
import kotlin.math.roundToInt

/** Lays its views in lines, as words are; from the right where one reads so. */
class FlowLayout(context: Context, attributes: AttributeSet? = null) : ViewGroup(context, attributes) {
    private val gap = (8 * resources.displayMetrics.density).roundToInt()

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val width = MeasureSpec.getSize(widthMeasureSpec)
        val child = MeasureSpec.makeMeasureSpec(width, MeasureSpec.AT_MOST)
        for (view in shown()) {
            measureChild(view, child, MeasureSpec.makeMeasureSpec(0, MeasureSpec.UNSPECIFIED))
        }
        setMeasuredDimension(width, resolveSize(place(width) { _, _, _ -> }, heightMeasureSpec))
    }

    override fun onLayout(changed: Boolean, left: Int, top: Int, right: Int, bottom: Int) {
        val isFromRight = layoutDirection == LAYOUT_DIRECTION_RTL
        place(width) { view, x, y ->
            val start = if (isFromRight) width - x - view.measuredWidth else x
            view.layout(start, y, start + view.measuredWidth, y + view.measuredHeight)
        }
    }

    /** The height of all lines. */
    private fun place(width: Int, put: (View, Int, Int) -> Unit): Int {
        var x = 0
        var y = 0
        var height = 0
        for (view in shown()) {
            if (x > 0 && x + view.measuredWidth > width) {
                x = 0
                y += height + gap
                height = 0
            }
            put(view, x, y)
            x += view.measuredWidth + gap
            height = maxOf(height, view.measuredHeight)
        }
        return y + height
    }

    private fun shown() = (0 until childCount).map(::getChildAt).filter { it.visibility != GONE }

    override fun generateLayoutParams(attributes: AttributeSet) = LayoutParams(context, attributes)

    override fun generateDefaultLayoutParams() =
        LayoutParams(LayoutParams.WRAP_CONTENT, LayoutParams.WRAP_CONTENT)
}
