package org.tfminilm.demo

import android.app.Activity
import android.content.res.Configuration
import android.view.View

/** Draws behind the system's bars, and keeps what is read and touched out of them. */
internal fun Activity.drawBehindBars() {
    val isNight = resources.configuration.uiMode and Configuration.UI_MODE_NIGHT_MASK ==
        Configuration.UI_MODE_NIGHT_YES
    val light = View.SYSTEM_UI_FLAG_LIGHT_STATUS_BAR or View.SYSTEM_UI_FLAG_LIGHT_NAVIGATION_BAR
    window.decorView.systemUiVisibility = View.SYSTEM_UI_FLAG_LAYOUT_STABLE or
        View.SYSTEM_UI_FLAG_LAYOUT_FULLSCREEN or View.SYSTEM_UI_FLAG_LAYOUT_HIDE_NAVIGATION or
        if (isNight) 0 else light
    val root = findViewById<View>(R.id.root)
    val tabs = findViewById<View>(R.id.tabs)
    val isBelow = tabs?.parent === root
    root.setOnApplyWindowInsetsListener { _, insets ->
        val bottom = insets.systemWindowInsetBottom
        // A keyboard is larger than a bar: the places make room for it.
        val hasKeyboard = bottom > KEYBOARD * resources.displayMetrics.density
        root.setPadding(
            insets.systemWindowInsetLeft,
            insets.systemWindowInsetTop,
            insets.systemWindowInsetRight,
            if (isBelow && !hasKeyboard) 0 else bottom,
        )
        if (isBelow) {
            tabs.visibility = if (hasKeyboard) View.GONE else View.VISIBLE
            tabs.setPadding(0, 0, 0, bottom)
        }
        insets.consumeSystemWindowInsets()
    }
}

private const val KEYBOARD = 120
