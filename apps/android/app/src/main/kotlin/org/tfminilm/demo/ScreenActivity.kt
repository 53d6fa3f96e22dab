package org.tfminilm.demo

import android.os.Bundle
import android.widget.FrameLayout
import android.widget.Toolbar

/** A screen behind another one: a title, a way back, and a page. */
abstract class ScreenActivity(private val title: Int, private val layout: Int) : AppActivity() {
    private val catalogChanged = { if (app.isReady) update() }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.screen)
        layoutInflater.inflate(layout, findViewById<FrameLayout>(R.id.content), true)
        val toolbar: Toolbar = findViewById(R.id.toolbar)
        toolbar.setTitle(title)
        toolbar.setNavigationOnClickListener { finish() }
        setTitle(title)
        drawBehindBars()
        app.catalog.watch(catalogChanged)
    }

    override fun onPostCreate(savedInstanceState: Bundle?) {
        super.onPostCreate(savedInstanceState)
        catalogChanged()
    }

    override fun onDestroy() {
        app.catalog.unwatch(catalogChanged)
        super.onDestroy()
    }

    /** Shows what there is, as soon as the models are known and whenever they change. */
    protected abstract fun update()
}
