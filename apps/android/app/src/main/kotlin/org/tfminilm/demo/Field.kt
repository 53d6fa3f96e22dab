package org.tfminilm.demo

import android.text.Editable
import android.text.InputFilter
import android.text.Spanned
import android.text.TextWatcher
import android.text.style.BackgroundColorSpan
import android.text.style.CharacterStyle
import android.text.style.ParagraphStyle
import android.text.style.SuggestionSpan
import android.view.MotionEvent
import android.view.View
import android.widget.EditText
import android.widget.TextView

/** A field of plain text with a limit, which says so where it cuts a text. */
class Field(
    val name: String,
    private val view: EditText,
    private val notice: TextView,
    private val drafts: Drafts,
    private val limit: Int = MAX_LENGTH,
    private val changed: () -> Unit,
) {
    /** Of the text that did not fit; 0 if the last one did. */
    private var wanted = 0
    private var isFilling = false

    val text: String get() = view.text.toString()

    init {
        view.filters = arrayOf(InputFilter(::cut))
        view.addTextChangedListener(object : TextWatcher {
            override fun beforeTextChanged(s: CharSequence?, start: Int, count: Int, after: Int) = Unit
            override fun onTextChanged(s: CharSequence?, start: Int, before: Int, count: Int) = Unit
            override fun afterTextChanged(s: Editable) = accept(s)
        })
        view.setOnTouchListener(::scrollInside)
    }

    /** Shows what was typed before, or an example. */
    fun restore(example: String) {
        isFilling = true
        view.setText(drafts[name] ?: example)
        isFilling = false
    }

    fun set(text: String) {
        view.setText(text)
        view.setSelection(view.text.length)
    }

    private fun accept(text: Editable) {
        text.makePlain()
        val said = wanted
        wanted = 0
        notice.visibility = if (said > 0) View.VISIBLE else View.GONE
        if (said > 0) notice.text = view.resources.getString(R.string.cut, text.length, said)
        if (isFilling) return
        drafts[name] = text.toString()
        changed()
    }

    private fun cut(
        source: CharSequence,
        start: Int,
        end: Int,
        shown: Spanned,
        from: Int,
        to: Int,
    ): CharSequence? {
        val others = shown.length - (to - from)
        val room = limit - others
        if (end - start <= room) return null
        wanted = others + end - start
        if (room <= 0) return ""
        val last = start + room
        return source.subSequence(start, if (Character.isHighSurrogate(source[last - 1])) last - 1 else last)
    }

    /** A long text scrolls inside its field, and the page with what is beyond it. */
    private fun scrollInside(view: View, event: MotionEvent): Boolean {
        val canScroll = view.canScrollVertically(1) || view.canScrollVertically(-1)
        view.parent.requestDisallowInterceptTouchEvent(canScroll && event.actionMasked != MotionEvent.ACTION_UP)
        return false
    }

    companion object {
        const val MAX_LENGTH = 40_000
    }
}

/** Drops colours, links and pictures of a pasted text; what a keyboard marks, and an answer, stay. */
private fun Editable.makePlain() {
    for (span in getSpans(0, length, CharacterStyle::class.java)) {
        if (getSpanFlags(span) and Spanned.SPAN_COMPOSING == 0 && isDecoration(span)) removeSpan(span)
    }
    getSpans(0, length, ParagraphStyle::class.java).forEach(::removeSpan)
}

private fun isDecoration(span: CharacterStyle) = span !is BackgroundColorSpan && span !is SuggestionSpan
