package org.tfminilm.demo

import android.text.Spannable
import android.text.Spanned
import android.text.style.BackgroundColorSpan
import android.widget.EditText

/** Marks parts of a field's text. */
class Marks(private val view: EditText) {
    fun show(parts: List<IntRange>) {
        clear()
        val colour = view.context.getColor(R.color.highlight)
        for (part in parts.filter { it.last < view.text.length }) {
            val span = BackgroundColorSpan(colour)
            view.text.setSpan(span, part.first, part.last + 1, Spannable.SPAN_EXCLUSIVE_EXCLUSIVE)
        }
    }

    /** Lets a part be seen where the text is longer than its field. */
    fun scrollTo(part: IntRange) {
        view.post { if (part.first <= view.text.length) view.bringPointIntoView(part.first) }
    }

    /** What a keyboard marks stays. */
    fun clear() = with(view.text) {
        getSpans(0, length, BackgroundColorSpan::class.java)
            .filter { getSpanFlags(it) and Spanned.SPAN_COMPOSING == 0 }
            .forEach(::removeSpan)
    }
}
